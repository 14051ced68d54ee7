"""Exact search is exact: with ties, far from zero where products cancel, with more asked for than there is, in blocks or not."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core.retrieval import IndexFlatIP, IndexFlatL2, flat
from tests.mlsys_core.retrieval.draws import brute, clustered, grid, sorted_out


@pytest.mark.parametrize(
    ("n", "d", "queries", "k"), [(1, 1, 1, 1), (137, 3, 19, 8), (1000, 33, 7, 40), (311, 2, 5, 311)]
)
def test_it_finds_the_nearest_and_of_equal_ones_the_lower_number(n, d, queries, k, loops, held):
    x, q = grid(n, d, n), grid(queries, d, n + 1)
    index = IndexFlatL2(d)
    index.add(x)
    found, ids = index.search(q, k)
    expected, truth = brute(q, x, k)
    np.testing.assert_array_equal(ids, truth)
    assert (found.dtype, ids.dtype) == (np.float32, np.int64)
    held("retrieval: exact search", "scipy cdist in float64, sorted", found, expected, 0)


def test_equal_vectors_beyond_the_candidates_are_still_in_order():
    """200 equal vectors are more than a product may propose, so the proof fails and every vector is looked at."""
    x = np.concatenate((np.full((3, 4), 9), np.ones((200, 4)), np.zeros((1, 4)))).astype(np.float32)
    index = IndexFlatL2(4)
    index.add(x)
    _, ids = index.search(np.zeros((2, 4)), 9)
    assert ids.tolist() == [[203, *range(3, 11)]] * 2


@pytest.mark.parametrize("offset", [0, 10, 1e3, 1e5])
def test_far_from_zero_it_is_as_exact_as_at_zero(offset, loops, held):
    """The squares are up to 10¹² times as large as the distances: in float32, the product has no digit of them left."""
    rng = np.random.default_rng(int(offset))
    x, q = (offset + rng.standard_normal((n, 17)) for n in (400, 9))
    x, q = x.astype(np.float32), q.astype(np.float32)
    index = IndexFlatL2(17)
    index.add(x)
    found, ids = index.search(q, 11)
    expected, truth = brute(q, x, 11)
    np.testing.assert_array_equal(ids, truth)
    held("retrieval: exact search", f"the same, {offset:g} from zero", found, expected, 1e-6)


def test_the_product_alone_would_have_been_wrong_there():
    """So that the test above can fail."""
    rng = np.random.default_rng(0)
    x, q = ((1e5 + rng.standard_normal((n, 17))).astype(np.float32) for n in (400, 9))
    index = IndexFlatL2(17)
    index.add(x)
    assert (np.argmin(index._rough(q, 0, 400), 1) != brute(q, x, 1)[1][:, 0]).mean() > 0.5


@pytest.mark.parametrize("kind", [IndexFlatL2, IndexFlatIP])
def test_the_bound_holds_for_the_products_error(kind):
    """And is not so wide that the proof would never succeed."""
    for seed in range(5):
        x, q = clustered(300, 40, seed) * 10**seed, clustered(20, 40, seed + 50) * 10**seed
        index = kind(40)
        index.add(x)
        exact = index._exact(q[:, None], x[None])
        above = exact - index._at_least(q, index._rough(q, 0, 300))
        assert (above >= 0).all()
        assert (above < 1e-3 * np.abs(exact).max()).all()


def test_blocks_change_nothing(monkeypatch, loops):
    x, q = grid(500, 6, 3), grid(50, 6, 4)
    whole, small = IndexFlatL2(6), IndexFlatL2(6)
    whole.add(x)
    for part in np.split(x, [1, 77, 200]):
        small.add(part)
    expected = whole.search(q, 30)
    for name, size in (("QUERIES", 7), ("VECTORS", 11), ("NUMBERS", 6 * 38 * 3)):
        monkeypatch.setattr(flat, name, size)
        np.testing.assert_array_equal(small.search(q, 30), expected)


def test_inner_products_are_found_from_the_largest_on(held):
    x, q = grid(400, 5, 8), grid(23, 5, 9)
    index = IndexFlatIP(5)
    index.add(x)
    found, ids = index.search(q, 13)
    expected, truth = sorted_out(-(q.astype(np.float64) @ x.T), 13)
    np.testing.assert_array_equal(ids, truth)
    held("retrieval: exact search", "numpy's products in float64, sorted", found, -expected, 0)


def test_of_vectors_of_length_one_products_and_distances_agree():
    x, q = clustered(300, 12, 1), clustered(10, 12, 2)
    x, q = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, q))
    by_product, by_distance = IndexFlatIP(12), IndexFlatL2(12)
    by_product.add(x)
    by_distance.add(x)
    products, ids = by_product.search(q, 10)
    distances, same = by_distance.search(q, 10)
    np.testing.assert_array_equal(ids, same)
    np.testing.assert_allclose(distances, 2 - 2 * products, atol=1e-6)


@pytest.mark.parametrize(("kind", "far"), [(IndexFlatL2, np.inf), (IndexFlatIP, -np.inf)])
def test_where_there_are_fewer_than_k_the_rest_is_nothing(kind, far):
    index = kind(3)
    for n in (0, 2):
        distances, ids = index.search(np.ones((4, 3)), 5)
        assert (distances[:, n:] == far).all()
        assert (ids[:, n:] == -1).all()
        assert sorted(ids[0, :n]) == list(range(n))
        index.add(np.eye(3)[:2])


def test_it_costs_what_it_says():
    index = IndexFlatL2(7)
    index.add(grid(50, 7, 0))
    index.search(grid(3, 7, 1), 2)
    assert flat.flat_cost(50, 7) == {"bytes": index.nbytes, "ndis": index.ndis / 3}
