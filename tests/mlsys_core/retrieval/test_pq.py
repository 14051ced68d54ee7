"""Product quantization is its definition: codes of the nearest centroids, distances to what codes stand for, and their mean error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mlsys_core.retrieval import IndexFlatL2, IndexHNSWFlat, IndexIVFPQ, IndexPQ, ProductQuantizer, recall
from mlsys_core.retrieval.ivfpq import ivfpq_cost
from mlsys_core.retrieval.pq import pq_cost
from tests.mlsys_core.retrieval.draws import brute, clustered, filled, sorted_out

SHAPES = [(400, 12, 3, 8), (300, 8, 8, 4), (150, 10, 1, 1), (500, 15, 5, 6)]  # n, d, M, nbits


def trained(x: np.ndarray, M: int, nbits: int) -> ProductQuantizer:
    pq = ProductQuantizer(x.shape[1], M, nbits)
    pq.niter = 5
    pq.train(x)
    return pq


def by_definition(pq: ProductQuantizer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest combination of centroids of each vector, part by part in float64, and its squared distance."""
    width, total, chosen = pq.d // pq.M, np.zeros(len(x)), []
    for j in range(pq.M):
        apart = cdist(x[:, j * width : (j + 1) * width].astype(np.float64), pq.centroids[j], "sqeuclidean")
        total += apart.min(1)
        chosen.append(pq.centroids[j][apart.argmin(1)])
    return np.concatenate(chosen, 1), total


@pytest.mark.parametrize(("n", "d", "M", "nbits"), SHAPES)
def test_distortion_is_the_mean_squared_distance_to_the_nearest_code(n, d, M, nbits, held):
    x = clustered(n, d, n)
    pq = trained(x, M, nbits)
    nearest, total = by_definition(pq, x)
    codes = pq.compute_codes(x)
    assert (codes.shape, codes.dtype) == ((n, M), np.uint8)
    assert codes.max() < 2**nbits
    held("retrieval: PQ codes", "nearest of each part in float64", pq.decode(codes), nearest, 0)
    held("retrieval: PQ distortion", "its definition", pq.distortion(x), total.mean(), 1e-6)


@pytest.mark.parametrize(("n", "d", "M", "nbits"), SHAPES)
def test_distances_are_those_to_what_codes_stand_for(n, d, M, nbits, loops, held):
    x, q = clustered(n, d, n), clustered(13, d, n + 1)
    index = IndexPQ(d, M, nbits)
    index.pq.niter = 3
    index.train(x)
    index.add(x[: n // 3])
    index.add(x[n // 3 :])
    found, _ = index.search(q, 20)
    known = index.reconstruct_batch(np.arange(n))
    np.testing.assert_array_equal(known, index.pq.decode(index.pq.compute_codes(x)))
    expected, _ = brute(q, known, 20)
    held("retrieval: PQ distances", "scipy cdist to decoded vectors", found, expected, 1e-4)
    assert index.ndis == 13 * n


def test_equal_codes_come_in_the_order_of_their_numbers(loops):
    x = np.tile(np.arange(8, dtype=np.float32)[:, None], (12, 4))
    index = IndexPQ(4, 2, 3)
    index.train(x)
    index.add(x)
    assert index.search(x[3:4], 12)[1].tolist() == [list(range(3, 96, 8))]


def test_more_bits_and_more_parts_leave_less_error():
    x = clustered(2000, 16, 0)
    by_bits = [trained(x, 4, nbits).distortion(x) for nbits in (1, 2, 4, 6, 8)]
    by_parts = [trained(x, M, 4).distortion(x) for M in (1, 2, 4, 8, 16)]
    for errors in (by_bits, by_parts):
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < errors[0] / 4


def test_one_part_is_plain_vector_quantization_and_its_error_is_that_of_k_means():
    from mlsys_core.retrieval import Kmeans

    x = clustered(700, 6, 4)
    pq, kmeans = ProductQuantizer(6, 1, 5), Kmeans(6, 32)
    pq.train(x)
    assert pq.distortion(x) == pytest.approx(kmeans.train(x) / 700, rel=1e-5)


@pytest.mark.parametrize("quantizer", [IndexFlatL2, lambda d: IndexHNSWFlat(d, 6)])
def test_lists_of_codes_give_distances_to_centroid_plus_code(quantizer, loops, held, monkeypatch):
    monkeypatch.setattr("mlsys_core.retrieval.ivfpq.BLOCK", 250)
    x, q = clustered(900, 12, 0), clustered(21, 12, 1)
    index = IndexIVFPQ(quantizer(12), 12, 10, 4, 5)
    index.train(x)
    for part in np.split(x, [5, 300]):
        index.add(part)
    index.nprobe = 10
    found, _ = index.search(q, 15)
    known = index.reconstruct_batch(np.arange(900))
    expected, _ = brute(q, known, 15)
    held("retrieval: IVFPQ distances", "scipy cdist to decoded vectors", found, expected, 1e-4)
    cell = cdist(x, index.quantizer.vectors).argmin(1)
    middles = index.quantizer.vectors[cell]
    np.testing.assert_allclose(known, middles + by_definition(index.pq, x - middles)[0], atol=1e-5)


def test_lists_that_are_not_read_are_not_found(loops):
    x, q = clustered(600, 8, 5), clustered(25, 8, 6)
    index = IndexIVFPQ(IndexFlatL2(8), 8, 12, 4, 4)
    index.train(x)
    index.add(x)
    index.nprobe = 3
    found, ids = index.search(q, 40)
    centroids = index.quantizer.vectors
    cell = cdist(x, centroids).argmin(1)
    read = np.argsort(cdist(q, centroids), axis=1)[:, :3]
    visible = (read[:, :, None] == cell).any(1)
    known = index.reconstruct_batch(np.arange(600))
    expected, _ = sorted_out(np.where(visible, cdist(q, known, "sqeuclidean"), np.inf), 40)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert all(visible[row, one] for row in range(25) for one in ids[row] if one >= 0)
    assert index.ndis == index.quantizer.ndis + visible.sum()


def test_codes_of_differences_find_more_than_codes_of_vectors():
    """At the same bytes a vector, on data in clusters: that is why they are coded."""
    x, q = clustered(4000, 16, 0, centers=30), clustered(80, 16, 0, centers=30)[:80] + 0.05
    truth = brute(q, x, 10)[1]
    plain, lists = IndexPQ(16, 4, 6), IndexIVFPQ(IndexFlatL2(16), 16, 30, 4, 6)
    lists.nprobe = 30
    for index in (plain, lists):
        index.train(x)
        index.add(x)
    assert recall(lists.search(q, 10)[1], truth) > recall(plain.search(q, 10)[1], truth) + 0.05


def test_results_do_not_depend_on_how_many_queries_come_at_once(monkeypatch, loops):
    x, q = clustered(300, 6, 9), clustered(11, 6, 10)
    for kind, module in (("IndexPQ", "pq"), ("IndexIVFPQ", "ivfpq")):
        index = filled(kind, x)
        whole, work = index.search(q, 5), index.ndis
        monkeypatch.setattr(f"mlsys_core.retrieval.{module}.TABLES", 3 * 32 * 3)
        np.testing.assert_array_equal(index.search(q, 5)[1], whole[1])
        assert index.ndis == work


@pytest.mark.parametrize(("d", "M", "nbits"), [(8, 3, 8), (8, 0, 8), (8, 2, 9), (8, 2, 0)])
def test_what_does_not_divide_is_refused(d, M, nbits):
    with pytest.raises(ValueError, match="M has to divide d"):
        IndexPQ(d, M, nbits)


def test_codes_keep_the_centroids_that_made_them():
    for kind in ("IndexPQ", "IndexIVFPQ"):
        index = filled(kind, clustered(100, 4, 0))
        with pytest.raises(ValueError, match="train before add"):
            index.train(clustered(100, 4, 1))


def test_it_costs_what_it_says():
    x = clustered(300, 8, 0)
    flat, lists = IndexPQ(8, 4, 5), IndexIVFPQ(IndexFlatL2(8), 8, 9, 4, 5)
    for index in (flat, lists):
        index.train(x)
        index.add(x)
    flat.search(x[:7], 1)
    assert pq_cost(300, 8, 4, 5) == {"bytes": flat.nbytes, "ndis": flat.ndis / 7, "table": flat.pq.centroids.size}
    said = ivfpq_cost(300, 8, 9, 9, 4, 5)
    lists.nprobe = 9
    lists.search(x[:7], 1)
    assert said == {"bytes": lists.nbytes, "tables": lists.terms.nbytes, "ndis": lists.ndis / 7}
