"""Places: the best first, ties where intervals overlap with the first of a place."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from reviews.boards.places import better, overlap, placed


@dataclass(frozen=True)
class Result:
    value: float
    low: float
    high: float
    less_is_better: bool = True


def exact(value: float, *, less: bool = True) -> Result:
    return Result(value, value, value, less)


def around(value: float, spread: float, *, less: bool = True) -> Result:
    return Result(value, value - spread, value + spread, less)


def places(*results: Result) -> list[int]:
    return [place for place, _ in placed(results)]


def test_counts_tie_only_where_they_are_equal():
    assert places(exact(3), exact(1), exact(1), exact(2)) == [1, 1, 3, 4]


def test_more_may_be_better():
    assert [result.value for _, result in placed([exact(1, less=False), exact(5, less=False)])] == [5, 1]


def test_results_that_a_clock_cannot_tell_apart_share_a_place():
    assert places(around(1.0, 0.1), around(1.15, 0.1), around(2, 0.1)) == [1, 1, 3]


def test_a_chain_of_overlaps_is_no_tie_for_all_of_it():
    """The third overlaps the second and not the first, so it is beaten by one of them at least."""
    assert places(around(1.0, 0.1), around(1.15, 0.1), around(1.3, 0.1)) == [1, 1, 3]


def test_nobody_is_in_no_place():
    assert placed([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_placed_after_another_is_never_provably_better(seed):
    rng = random.Random(seed)
    less = rng.random() < 0.5
    results = [around(rng.uniform(1, 3), rng.choice([0, 0.05, 0.3]), less=less) for _ in range(rng.randrange(1, 12))]
    found = placed(results)
    assert len(found) == len(results)
    assert [place for place, _ in found] == sorted(place for place, _ in found)
    for i, (place, one) in enumerate(found):
        assert place == 1 + sum(other < place for other, _ in found)
        for _, later in found[i + 1 :]:
            assert overlap(one, later) or better(one, later) or one.value == later.value
