"""Places on a board. What a clock cannot tell apart shares a place: a tie is a tie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Interval(Protocol):
    """A result between two ends; both ends are the value itself for a count."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def less_is_better(self) -> bool: ...


Result = TypeVar("Result", bound=Interval)


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals share a point, so that one cannot be called better."""
    return one.low <= other.high and other.low <= one.high


def better(one: Interval, other: Interval) -> bool:
    """Whether the value of one is better than that of the other, whatever their intervals say."""
    return one.value < other.value if one.less_is_better else one.value > other.value


def placed(results: Iterable[Result]) -> list[tuple[int, Result]]:
    """Results with their places, the best first.

    A result shares the place of the best result of a place whose interval it overlaps. The next place counts all who are before it,
    so that after two firsts comes a third.
    """
    ordered: Sequence[Result] = sorted(results, key=lambda r: r.value if r.less_is_better else -r.value)
    found: list[tuple[int, Result]] = []
    first: Result | None = None
    place = 0
    for before, result in enumerate(ordered):
        if first is None or not overlap(first, result):
            first, place = result, before + 1
        found.append((place, result))
    return found
