"""Reading what came back from the student's side: plain data of any form, so it is looked at before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def field(expect: Any, got: Any, name: str) -> Any:
    """One entry of an answer."""
    expect.that(isinstance(got, dict) and name in got, f"the call returned no {name}")
    return got[name]


def listed(expect: Any, got: Any, name: str, count: int) -> list[Any]:
    """One entry of an answer that must be a list of `count` items."""
    found = field(expect, got, name)
    expect.that(isinstance(found, list) and len(found) == count, f"the call returned no list of {count} {name}")
    return list(found)


def all_close(
    expect: Any, got: Any, want: Sequence[np.ndarray | None], names: Sequence[str], **tolerance: float
) -> None:
    """A list of arrays (or None) beside the expected ones."""
    expect.that(isinstance(got, list) and len(got) == len(want), f"returned no list of {len(want)} results")
    for one, expected, name in zip(got, want, names, strict=True):
        if expected is None:
            expect.that(one is None, f"{name} should be None: no gradient belongs there")
        else:
            expect.close(one, expected, what=name, **tolerance)


def check_order(expect: Any, got: Any, steps: Sequence[Sequence[Any]], trainable: Sequence[bool]) -> None:
    """A list of node numbers as a topological order of the last value of a graph."""
    expect.that(
        isinstance(got, list) and all(type(n) is int for n in got), "topological_order returned no list of nodes"
    )
    expect.that(-1 not in got, "the list holds something that is no node of the graph")
    wanted = _needing_gradients(steps, trainable)
    expect.that(len(set(got)) == len(got), "a node stands in the list more than once")
    expect.that(
        not set(got) - wanted, "the list holds nodes that need no gradient, or that the root does not depend on"
    )
    expect.that(not wanted - set(got), f"{len(wanted - set(got))} nodes are missing from the list")
    place = {number: position for position, number in enumerate(got)}
    late = [
        n for n in got for source in _sources(steps, len(trainable), n) if source in place and place[source] > place[n]
    ]
    expect.that(not late, f"{len(late)} nodes stand before one of their inputs")


def _needing_gradients(steps: Sequence[Sequence[Any]], trainable: Sequence[bool]) -> set[int]:
    needs = list(trainable)
    for step in steps:
        needs.append(any(needs[source] for source in _inputs(step)))
    found, waiting = set(), [len(needs) - 1]
    while waiting:
        number = waiting.pop()
        if needs[number] and number not in found:
            found.add(number)
            waiting.extend(_sources(steps, len(trainable), number))
    return found


def _sources(steps: Sequence[Sequence[Any]], leaves: int, number: int) -> list[int]:
    return [] if number < leaves else _inputs(steps[number - leaves])


def _inputs(step: Sequence[Any]) -> list[int]:
    return [part for part in step[1:] if isinstance(part, int)]


def number(expect: Any, got: Any, what: str) -> float:
    """An answer that must be one finite number that is not negative."""
    plain = got.item() if isinstance(got, np.ndarray) and got.shape == () else got
    expect.that(type(plain) in {int, float} and 0 <= plain < 1e300, f"{what} should be a number, got {str(got)[:60]}")
    return float(plain)
