"""Masks have exactly as many weights as their pattern says, in every field that it names, and the highest scores."""

from __future__ import annotations

from itertools import combinations
from math import comb

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compression.masks import NM, PerRow, Unstructured, is_n_of_m, sparsity


def scores_of(rows: int, columns: int, seed: int, *, ties: bool) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    drawn = torch.rand(rows, columns, generator=draws)
    return (drawn * 3).round() if ties else drawn


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(1, 8), st.integers(0, 99), st.booleans(), st.data())
def test_exactly_n_stay_of_each_m_and_they_are_the_highest(rows, of, seed, ties, data):
    kept, groups = data.draw(st.integers(1, of)), data.draw(st.integers(1, 5))
    scores = scores_of(rows, of * groups, seed, ties=ties)
    mask = NM(kept, of).mask(scores)
    cut, chosen = scores.view(rows, groups, of), mask.view(rows, groups, of)
    assert (chosen.sum(-1) == kept).all()
    lowest_kept = cut.where(chosen, torch.inf).amin(-1)
    highest_gone = cut.where(~chosen, -torch.inf).amax(-1)
    assert (lowest_kept >= highest_gone).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(1, 11), st.floats(0, 1), st.integers(0, 99), st.booleans())
def test_rows_and_matrices_lose_the_share_that_is_asked_for_and_their_lowest(rows, columns, share, seed, ties):
    scores = scores_of(rows, columns, seed, ties=ties)
    each, whole = PerRow(share).mask(scores), Unstructured(share).mask(scores)
    assert ((~each).sum(1) == round(share * columns)).all()
    assert int((~whole).sum()) == round(share * rows * columns)
    for field, mask in [*zip(scores, each, strict=True), (scores, whole)]:
        if mask.any() and not mask.all():
            assert field[mask].min() >= field[~mask].max()


def test_the_mask_of_a_group_is_the_best_of_all_that_there_are():
    scores = torch.rand(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = NM(3, 8).mask(scores)
    for row, chosen in zip(scores, mask, strict=True):
        every = [sum(row[list(places)].tolist()) for places in combinations(range(8), 3)]
        assert len(every) == comb(8, 3)
        assert float(row[chosen].sum()) == pytest.approx(max(every))


def test_of_equal_scores_the_first_stays():
    assert NM(2, 4).mask(torch.ones(1, 8)).tolist() == [[True, True, False, False] * 2]
    assert PerRow(0.5).mask(torch.zeros(2, 4)).tolist() == [[True, True, False, False]] * 2
    assert Unstructured(0.75).mask(torch.zeros(2, 2)).tolist() == [[True, False], [False, False]]


def test_a_matrix_is_n_of_m_when_no_group_has_more():
    weight = torch.tensor([[1.0, 0, 2, 0, 0, 0, 0, 3], [0, 0, 0, 0, 1, 1, 0, 0]])
    assert is_n_of_m(weight, NM(2, 4))
    assert not is_n_of_m(weight, NM(1, 4))
    weight[0, 1] = 1e-30
    assert not is_n_of_m(weight, NM(2, 4))
    assert sparsity(weight) == 10 / 16


def test_two_of_four_in_sixteen_bits_takes_nine():
    """Two values and two places of two bits each, over four weights."""
    assert NM(2, 4).bits_a_weight(16) == (2 * 16 + 2 * 2) / 4
    assert NM(2, 4).bits_a_weight(8) == 5
    assert Unstructured(0.5).bits_a_weight(16) == 9
    assert PerRow(0.75).bits_a_weight(16) == 5
    assert (NM(1, 4).density, PerRow(0.25).density, NM(4, 8).group, PerRow(0.5).group) == (0.25, 0.75, 8, None)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Unstructured(1.5), "between 0 and 1"),
        (lambda: PerRow(-0.1), "between 0 and 1"),
        (lambda: NM(0, 4), "0 of 4 weights cannot stay"),
        (lambda: NM(5, 4), "5 of 4 weights cannot stay"),
        (lambda: NM(2, 4).mask(torch.ones(2, 6)), "cannot be cut into groups of 4"),
    ],
)
def test_patterns_that_cannot_be_are_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
