"""Inverted lists: every vector in the list of its nearest centroid, exact within the lists that are read, and counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mlsys_core.retrieval import IndexFlatIP, IndexFlatL2, IndexHNSWFlat, IndexIVFFlat, recall
from mlsys_core.retrieval.ivf import ivf_cost
from tests.mlsys_core.retrieval.draws import brute, clustered, grid, sorted_out


def built(x: np.ndarray, nlist: int) -> IndexIVFFlat:
    index = IndexIVFFlat(IndexFlatL2(x.shape[1]), x.shape[1], nlist)
    index.train(x)
    index.add(x)
    return index


@pytest.mark.parametrize(("n", "d", "nlist"), [(40, 2, 1), (333, 7, 12), (500, 50, 40)])
def test_with_all_lists_it_is_exact(n, d, nlist, loops, held):
    x, q = grid(n, d, n), grid(17, d, n + 1)
    index = built(x, nlist)
    index.nprobe = nlist + 5
    found, ids = index.search(q, 9)
    expected, truth = brute(q, x, 9)
    np.testing.assert_array_equal(ids, truth)
    held("retrieval: IVF, all lists", "scipy cdist in float64, sorted", found, expected, 0)
    assert index.ndis == 17 * (nlist + n)


def test_with_some_lists_it_is_exact_within_them(loops):
    """The oracle knows the centroids, puts each vector where it belongs, and sorts what is in the lists that are read."""
    x, q, nprobe = clustered(700, 6, 0), clustered(31, 6, 1), 4
    index = built(x, 19)
    index.nprobe = nprobe
    centroids = index.quantizer.vectors
    cell = cdist(x, centroids).argmin(1)
    read = np.argsort(cdist(q, centroids), axis=1)[:, :nprobe]
    distances = cdist(q.astype(np.float64), x, "sqeuclidean")
    visible = (read[:, :, None] == cell).any(1)
    found, ids = index.search(q, 10)
    expected, truth = sorted_out(np.where(visible, distances, np.inf), 10)
    np.testing.assert_array_equal(ids, np.where(np.isfinite(expected), truth, -1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert index.ndis == 31 * 19 + visible.sum()


@pytest.mark.parametrize("seed", range(3))
def test_recall_and_work_never_fall_with_more_lists(seed, loops):
    x, q = clustered(1500, 16, seed), clustered(60, 16, seed)[:60] + 0.1
    index, exact = built(x, 32), IndexFlatL2(16)
    exact.add(x)
    _, truth = exact.search(q, 10)
    recalls, work, distances = [], [], []
    for nprobe in (1, 2, 4, 8, 16, 32):
        index.nprobe = nprobe
        found, ids = index.search(q, 10)
        recalls.append(recall(ids, truth))
        work.append(index.ndis)
        distances.append(found)
    assert recalls == sorted(recalls)
    assert recalls[0] < 1 == recalls[-1]
    assert work == sorted(set(work))
    assert all((after <= before).all() for before, after in pairwise(distances))


def test_lists_hold_each_vector_once_however_it_came(loops):
    x, q = grid(300, 3, 5), grid(40, 3, 6)
    whole, pieces = built(x, 11), IndexIVFFlat(IndexFlatL2(3), 3, 11)
    pieces.train(x)
    for part in np.split(x, [0, 1, 90]):
        pieces.add(part)
    for name in ("offsets", "ids", "rows"):
        np.testing.assert_array_equal(getattr(pieces.lists, name), getattr(whole.lists, name))
    np.testing.assert_array_equal(x[whole.lists.ids], whole.lists.rows)
    np.testing.assert_array_equal(whole.search(q, 7), pieces.search(q, 7))
    np.testing.assert_array_equal(whole.reconstruct_batch(np.array([299, 0, 17])), x[[299, 0, 17]])


def test_a_quantizer_may_bring_its_centroids_and_may_be_a_graph():
    x, q = clustered(800, 8, 2), clustered(20, 8, 3)
    graph = IndexHNSWFlat(8, 8)
    graph.add(x[:25])
    index = IndexIVFFlat(graph, 8, 25)
    assert index.is_trained
    index.train(x)
    np.testing.assert_array_equal(graph.vectors, x[:25])
    index.add(x)
    graph.hnsw.efSearch = index.nprobe = 25
    np.testing.assert_array_equal(index.search(q, 5)[1], brute(q, x, 5)[1])


def test_lists_that_are_empty_find_nothing(loops):
    """Both centroids lie far from the query's list, which has no vector."""
    quantizer = IndexFlatL2(2)
    quantizer.add(np.array([[0, 0], [10, 0], [20, 0]]))
    index = IndexIVFFlat(quantizer, 2, 3)
    index.add(np.array([[11.0, 0.0], [9.5, 0.0]]))
    distances, ids = index.search(np.array([[1.0, 0.0], [10.0, 0.0]]), 2)
    assert ids.tolist() == [[-1, -1], [1, 0]]
    assert distances.tolist() == [[np.inf, np.inf], [0.25, 1.0]]
    assert index.ndis == 2 * 3 + 2


def test_what_cannot_be_is_refused():
    for quantizer, nlist in ((IndexFlatL2(3), 4), (IndexFlatIP(2), 4), (IndexFlatL2(2), 0)):
        with pytest.raises(ValueError, match="need a quantizer by squared distances"):
            IndexIVFFlat(quantizer, 2, nlist)
    index = IndexIVFFlat(IndexFlatL2(2), 2, 4)
    with pytest.raises(ValueError, match="IndexIVFFlat has learned nothing yet: call train"):
        index.add(np.ones((1, 2)))
    with pytest.raises(ValueError, match="learned nothing"):
        index.search(np.ones((1, 2)), 1)
    with pytest.raises(ValueError, match="4 centroids of 2 numbers cannot be learned"):
        index.train(np.ones((3, 2)))
    index.quantizer.add(np.ones((3, 2)))
    with pytest.raises(ValueError, match="has 3 centroids for 4 lists"):
        index.train(np.ones((9, 2)))
    full = built(grid(50, 2, 0), 4)
    with pytest.raises(ValueError, match="train before add"):
        full.train(grid(50, 2, 1))
    full.nprobe = 0
    with pytest.raises(ValueError, match="nprobe is 0"):
        full.search(np.ones((1, 2)), 1)


def test_it_costs_what_it_says():
    x, q = np.random.default_rng(0).uniform(size=(6000, 3)), np.random.default_rng(1).uniform(size=(400, 3))
    index = built(x, 20)
    index.nprobe = 4
    index.search(q, 1)
    said = ivf_cost(6000, 3, 20, 4)
    assert said["bytes"] == index.nbytes
    assert 0.8 < index.ndis / 400 / said["ndis"] < 1.3, "lists are about equally long"
