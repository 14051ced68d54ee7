"""What all indices have in common: they take the same, refuse the same, and a program can change one for another."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mlsys_core.retrieval import IndexFlatL2, native, recall
from tests.mlsys_core.retrieval.draws import KINDS, clustered, filled, made


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_can_change_one_index_for_another(kind, loops):
    x, q = clustered(300, 6, 0), clustered(9, 6, 1)
    index = made(kind, 6)
    assert (index.ntotal, index.d) == (0, 6)
    assert index.is_trained == (kind in {"IndexFlatL2", "IndexFlatIP", "IndexHNSWFlat"})
    index.train(x)
    assert index.is_trained
    empty, nothing = index.search(q, 2)
    assert np.isinf(empty).all()
    assert (nothing == -1).all()
    index.add(x[:0])
    index.add(x)
    assert index.ntotal == 300
    distances, ids = index.search(q, 4)
    assert (distances.shape, distances.dtype, ids.shape, ids.dtype) == ((9, 4), np.float32, (9, 4), np.int64)
    assert (np.diff(distances, axis=1) * (-1 if kind == "IndexFlatIP" else 1) >= 0).all()
    assert index.ndis > 0
    assert index.search(q[:0], 4)[1].shape == (0, 4)
    assert index.ndis == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kind_of_numbers", ["float64", "float16", "int32", "transposed", "list"])
def test_numbers_may_come_in_any_form(kind, kind_of_numbers):
    x = np.random.default_rng(0).integers(-9, 9, (120, 4))
    as_float = x.astype(np.float32)
    given = {"transposed": np.asfortranarray(as_float), "list": x.tolist()}.get(kind_of_numbers)
    given = x.astype(kind_of_numbers) if given is None else given
    np.testing.assert_array_equal(
        filled(kind, np.asarray(given)).search(given[:9], 3), filled(kind, as_float).search(as_float[:9], 3)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_is_copied(kind):
    x = clustered(100, 4, 0)
    index, q = filled(kind, x), x[:5].copy()
    expected = index.search(q, 3)
    x[:] = 0
    np.testing.assert_array_equal(index.search(q, 3), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_vector_is_refused_in_a_sentence(kind):
    index = filled(kind, clustered(100, 4, 0))
    for wrong in (
        np.ones((3, 5)),
        np.ones(4),
        np.ones((2, 4), complex),
        np.full((2, 4), "a"),
        np.ones((1, 2, 4)),
        np.ones((2, 4), bool),
    ):
        with pytest.raises(ValueError, match=r"takes numbers of shape \(n, 4\), and was given"):
            index.search(wrong, 1)
    for number in (np.nan, np.inf, -np.inf, 1e16, -1e16):
        x = np.ones((3, 4))
        x[1, 2] = number
        for act in (index.add, index.train, lambda x: index.search(x, 1)):
            with pytest.raises(ValueError, match="NaN, infinite or larger than 1e"):
                act(x)
    for k in (0, -1):
        with pytest.raises(ValueError, match="give k of at least 1"):
            index.search(np.ones((1, 4)), k)
    assert index.ntotal == 100


def test_an_index_needs_dimensions():
    with pytest.raises(ValueError, match="d of at least 1"):
        IndexFlatL2(0)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_search_at_the_same_time(kind):
    """Searches share nothing that they write, but for the count."""
    x, q = clustered(2000, 8, 0), clustered(300, 8, 1)
    index = filled(kind, x)
    expected = index.search(q, 5)[1]
    found: dict[int, np.ndarray] = {}

    def search(number: int) -> None:
        found[number] = index.search(q, 5)[1]

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for ids in found.values():
        np.testing.assert_array_equal(ids, expected)


def test_recall_counts_what_was_found_whatever_its_place():
    truth = np.array([[1, 2, 3], [4, 5, 6]])
    assert recall(truth[:, ::-1], truth) == 1
    assert recall([[1, 9, 8], [5, -1, -1]], truth) == 2 / 6
    assert recall([[1, 1, 1], [-1, -1, -1]], truth) == 1 / 6, "a number twice is found once"
    for wrong in ([[1, 2], [3, 4]], [1, 2, 3], np.empty((0, 3))):
        with pytest.raises(ValueError, match="cannot be compared"):
            recall(wrong, truth)
    with pytest.raises(ValueError, match="cannot be compared"):
        recall(np.empty((0, 3)), np.empty((0, 3)))


def test_where_nothing_can_be_built_or_kept_numpy_is_used(tmp_path, monkeypatch, without_compiler):
    """No compiler; and a cache folder that cannot be made."""
    x = clustered(50, 4, 0)
    expected = filled("IndexIVFFlat", x).search(x, 3)[1]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    native.library.cache_clear()
    assert native.library() is None
    np.testing.assert_array_equal(filled("IndexIVFFlat", x).search(x, 3)[1], expected)
    monkeypatch.delenv("XDG_CACHE_HOME")
    without_compiler()
    np.testing.assert_array_equal(filled("IndexIVFFlat", x).search(x, 3)[1], expected)


def test_loops_in_c_refuse_arrays_with_gaps():
    with pytest.raises(ValueError, match="has gaps"):
        native.pointer(np.ones((4, 4))[:, ::2])
