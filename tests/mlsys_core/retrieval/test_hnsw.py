"""The graph: what must hold of its links, the same graph in C and in Python, and searches that find more when they look at more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from mlsys_core.retrieval import IndexFlatL2, IndexHNSWFlat, hnsw, native, recall
from mlsys_core.retrieval.graph import HNSW, hnsw_cost
from tests.mlsys_core.retrieval.draws import brute, clustered, grid


def built(x: np.ndarray, M: int, ef: int = 40) -> IndexHNSWFlat:
    index = IndexHNSWFlat(x.shape[1], M)
    index.hnsw.efConstruction = ef
    index.add(x)
    return index


def reached(graph: HNSW, level: int) -> np.ndarray:
    """Nodes that scipy reaches from the entry by the links of a layer."""
    n = len(graph.levels)
    pairs = [(node, int(to)) for node in np.flatnonzero(graph.levels >= level) for to in graph.links(node, level)]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    links = csr_array((np.ones(len(pairs)), (rows, columns)), (n, n))
    return np.sort(breadth_first_order(links, graph.entry, return_predecessors=False))


@pytest.mark.parametrize(
    ("n", "d", "M", "ef"), [(1, 3, 2, 1), (2, 3, 2, 1), (500, 8, 5, 20), (300, 3, 16, 7), (200, 20, 2, 30)]
)
def test_what_must_hold_of_a_graph(n, d, M, ef, loops):
    x = grid(n, d, n, most=9)
    graph = built(x, M, ef).hnsw
    top = int(graph.levels.max())
    assert graph.levels[graph.entry] == top
    for level in range(top + 1):
        nodes = np.flatnonzero(graph.levels >= level)
        for node in nodes:
            row = graph.row(node, level)
            links = graph.links(node, level)
            assert len(row) == (M if level else 2 * M)
            assert (row[len(links) :] == -1).all(), "free places lie behind the links"
            assert len(set(links)) == len(links)
            assert node not in links
            assert set(links) <= set(nodes)
            assert len(links) or len(nodes) == 1
    graph.check()


@pytest.mark.parametrize("seed", range(4))
def test_every_node_can_be_reached_from_the_entry_in_layer_0_and_most_above(seed):
    x = grid(600, 6, seed, most=50)
    graph = built(x, 6).hnsw
    np.testing.assert_array_equal(reached(graph, 0), np.arange(600))
    for level in range(1, int(graph.levels.max()) + 1):
        assert len(reached(graph, level)) > 0.9 * (graph.levels >= level).sum(), (
            "links back may be dropped, so not always all"
        )


@pytest.mark.parametrize("seed", range(3))
def test_links_are_chosen_by_the_heuristic(seed, loops):
    """Of any two links of a node, the farther one is not nearer to the nearer one than to the node, unless they came one by one."""
    x = grid(300, 5, seed, most=30)
    graph = built(x, 4, 30).hnsw
    full = [node for node in range(300) if len(graph.links(node, 0)) == 8]
    new = 299  # nothing came after it: its links are exactly what was chosen
    for node in [new]:
        links = graph.links(node, 0)
        own = ((x[links] - x[node]) ** 2).sum(1)
        assert (np.diff(own) >= 0).all()
        for i in range(len(links)):
            for j in range(i):
                assert ((x[links[i]] - x[links[j]]) ** 2).sum() >= own[i]
    assert len(full) < 300


def test_select_neighbors_is_algorithm_4_on_a_drawing():
    """q at 0; a at 1; b at 1.5, nearer to a; c at -2, nearer to q; d at 10, nearer to a."""
    x = np.array([[0.0], [1.0], [1.5], [-2.0], [10.0]], np.float32)
    walker = hnsw.Walker(x, HNSW(2))
    candidates = [(float(x[i, 0] ** 2), i) for i in (1, 2, 3, 4)]
    assert walker.select_neighbors(candidates, 4) == [1, 3]
    assert walker.select_neighbors(candidates, 1) == [1]
    assert walker.select_neighbors(candidates, 5) == [1, 2, 3, 4], "with room to spare there is nothing to choose"


@pytest.mark.parametrize(("n", "d", "M", "ef"), [(400, 4, 3, 9), (300, 19, 8, 25), (350, 40, 2, 4), (120, 16, 6, 200)])
def test_c_and_python_build_the_same_graph_and_find_the_same(n, d, M, ef, without_compiler):
    """On whole numbers, whose distances are exact, link by link, with ties, and with the same count of distances."""
    if native.library() is None:
        pytest.skip("this machine has no C compiler")
    x, q = grid(n, d, n), grid(30, d, n + 1)
    first, rest = x[: n // 3], x[n // 3 :]
    results = []
    for _ in range(2):
        index = built(first, M, ef)
        counts = [index.ndis]
        index.add(rest)
        counts.append(index.ndis)
        searched = [(*index.search(q, k), index.ndis) for k in (1, 7, 50)]
        results += [*searched, (index.hnsw.entry, *counts, *index.hnsw.arrays().values())]
        without_compiler()
    half = len(results) // 2
    for ours, theirs in zip(results[:half], results[half:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(3))
def test_recall_and_work_never_fall_with_a_wider_search(seed):
    n = 2500
    x, q = clustered(n, 12, seed) / 2, clustered(n, 12, seed)[:80] / 2 + 0.2
    index, exact = built(x, 6), IndexFlatL2(12)
    exact.add(x)
    _, truth = exact.search(q, 10)
    recalls, work = [], []
    for ef in (10, 20, 40, 80, 160, n):
        index.hnsw.efSearch = ef
        _, ids = index.search(q, 10)
        recalls.append(recall(ids, truth))
        work.append(index.ndis)
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.99
    assert recalls[0] < recalls[-1]
    assert work == sorted(work)
    assert work[0] < 80 * n / 3


def test_a_search_as_wide_as_the_graph_is_exact(loops, held):
    x, q = grid(200, 7, 1), grid(20, 7, 2)
    index = built(x, 6)
    index.hnsw.efSearch = 200
    found, ids = index.search(q, 200)
    expected, truth = brute(q, x, 200)
    np.testing.assert_array_equal(ids, truth)
    held("retrieval: HNSW, ef = n", "scipy cdist in float64, sorted", found, expected, 0)


def test_distances_are_those_of_the_vectors_that_were_found(loops, held):
    x, q = clustered(200, 23, 3), clustered(15, 23, 4)
    found, ids = built(x, 8).search(q, 12)
    expected = ((q[:, None].astype(np.float64) - x[ids]) ** 2).sum(2)
    held("retrieval: HNSW distances", "numpy in float64", found, expected, 1e-5)
    assert (np.diff(found, axis=1) >= 0).all()


def test_work_grows_slower_than_the_number_of_vectors():
    """Eight times the vectors take less than twice the distances."""
    work = []
    for n in (1000, 8000):
        index = built(clustered(n, 8, 0), 8)
        index.search(clustered(200, 8, 1), 5)
        work.append(index.ndis)
    assert work[1] < 2 * work[0]


def test_levels_are_drawn_as_the_paper_has_them_and_by_the_number_alone():
    whole, pieces = HNSW(4), HNSW(4)
    whole.grow(40_000)
    for count in (1, 999, 0, 39_000):
        pieces.grow(count)
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, pieces.arrays()[name])
    for level in (1, 2, 3):
        share, expected = (whole.levels >= level).mean(), 4.0**-level
        assert abs(share - expected) < 5 * np.sqrt(expected / 40_000)


def test_batches_change_nothing(loops):
    x = grid(150, 5, 4)
    whole, pieces = built(x, 4), IndexHNSWFlat(5, 4)
    for part in np.split(x, [0, 1, 2, 100]):
        pieces.add(part)
    assert whole.hnsw.entry == pieces.hnsw.entry
    np.testing.assert_array_equal(whole.hnsw.ground, pieces.hnsw.ground)
    np.testing.assert_array_equal(whole.hnsw.upper, pieces.hnsw.upper)


def test_a_search_that_has_run_out_of_numbers_wipes_what_was_seen(monkeypatch):
    """Searches are numbered with 32 bits; after 2³² of them a node must not count as seen by one of long ago."""
    if native.library() is None:
        pytest.skip("this machine has no C compiler")
    x, q = grid(200, 4, 0), grid(9, 4, 1)
    index = built(x, 8)
    index.hnsw.efSearch = 200
    expected = index.search(q, 200)
    assert (expected[1] >= 0).all()
    whole = IndexHNSWFlat._native

    def late(self, ef):
        graph, arrays = whole(self, ef)
        graph.searches = 2**32 - 1
        arrays["seen"][:] = np.arange(200) % 8 + 1
        return graph, arrays

    monkeypatch.setattr(IndexHNSWFlat, "_native", late)
    np.testing.assert_array_equal(index.search(q, 200), expected)


def test_equal_vectors_do_not_stop_it(loops):
    index = built(np.ones((150, 4), np.float32), 4)
    distances, ids = index.search(np.ones((2, 4)), 5)
    assert (distances == 0).all()
    assert all(len(set(row)) == 5 for row in ids)


def test_settings_that_lead_nowhere_are_refused():
    with pytest.raises(ValueError, match="M is 1: a node needs at least 2 links"):
        IndexHNSWFlat(3, 1)
    index = IndexHNSWFlat(3, 4)
    index.hnsw.efConstruction = 0
    with pytest.raises(ValueError, match="efConstruction is 0"):
        index.add(np.ones((1, 3)))
    index.hnsw.efConstruction, index.hnsw.efSearch = 5, 0
    index.add(np.ones((1, 3)))
    with pytest.raises(ValueError, match="efSearch is 0"):
        index.search(np.ones((1, 3)), 1)


def test_it_costs_what_it_says():
    index = built(clustered(5000, 6, 0), 4, 5)
    assert index.nbytes == pytest.approx(hnsw_cost(5000, 6, 4)["bytes"], rel=0.01)
