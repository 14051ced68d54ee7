"""Task 7: comparing a cache's answers with those that it must give, prompts that begin alike, and orders of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Operation = list[Any]


def check_answers(student: Any, expect: Any, page_size: int, told: Sequence[tuple[str, Any, Any]]) -> None:
    """Each (method, arguments, answer) in turn, of a fresh cache of the student's."""
    operations = [[method, list(arguments)] for method, arguments, _ in told]
    got = student.call("run_cache", page_size=page_size, operations=operations)
    expect.that(isinstance(got, list) and len(got) == len(told), "the cache did not get through all operations")
    for number, ((method, arguments, want), one) in enumerate(zip(told, got, strict=True)):
        said = ", ".join(_short(argument) for argument in arguments)
        if method != "unlock":
            expect.equal(one, want, what=f"operation {number}, {method}({said})")


def _short(argument: Any) -> str:
    return str(argument) if not isinstance(argument, list) or len(argument) < 9 else f"[… {len(argument)} tokens]"


Order = Callable[[list[list[int]], list[int]], list[int]]


def prompts_of(rng: np.random.Generator, groups: int, topics: int, each: int) -> list[list[int]]:
    """Prompts in random order: a system prompt of its group, examples of its topic, and a question of its own."""
    found = []
    for _ in range(groups):
        system = _words(rng, int(rng.integers(24, 60)))
        for _ in range(topics):
            examples = _words(rng, int(rng.integers(24, 60)))
            found += [system + examples + _words(rng, int(rng.integers(2, 10))) for _ in range(each)]
    return [found[i] for i in rng.permutation(len(found))]


def _words(rng: np.random.Generator, count: int) -> list[int]:
    return [int(one) for one in rng.integers(1 << 20, size=count)]


def in_a_row(prompts: Sequence[list[int]], order: Sequence[int]) -> int:
    """Tokens that each request has in common with the one before it: what a cache with room for one prompt finds."""
    pairs = itertools.pairwise([prompts[number] for number in order])
    return sum(sum(itertools.accumulate((a == b for a, b in zip(*pair, strict=False)), min)) for pair in pairs)


def most_tokens(prompts: Sequence[list[int]]) -> int:
    """What the best order finds: all tokens but one computation of each page of the tree that the prompts form."""
    beginnings = {hash(tuple(one[: i + 1])) for one in prompts for i in range(len(one))}
    return sum(map(len, prompts)) - len(beginnings)


def checked_order(student: Any, expect: Any) -> Order:
    """The student's, which must name every waiting request once."""

    def order(waiting: list[list[int]], cached: list[int]) -> list[int]:
        got = student.call("ordered", waiting=waiting, cached=cached)
        formed = isinstance(got, list) and all(type(one) is int for one in got)
        expect.that(formed and sorted(got) == list(range(len(waiting))), "the order does not name each request once")
        return list(got)

    return order
