"""Task 7, public checks: shared beginnings, whole pages, what goes first, and an order."""

from __future__ import annotations

import pytest
import radix_oracle as oracle

pytestmark = pytest.mark.task("7")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Where the tokens part within an edge, cut it in two, and hang the rest of the new tokens below the upper part.",
    handout="2.24",
)
def test_shared_beginnings(student, expect):
    """RadixCache: insert and match, with sequences that part in the middle of others"""
    told = [
        ("insert", [[1, 2, 3, 4], [100, 101, 102, 103]], 0),
        ("insert", [[1, 2, 5, 6, 7], [104, 105, 106, 107, 108]], 2),
        ("insert", [[1, 2], [109, 110]], 2),
        ("insert", [[8], [111]], 0),
        ("insert", [[1, 2, 3, 4, 9], [112, 113, 114, 115, 116]], 4),
        ("insert", [[1, 2, 5, 8], [117, 118, 119, 120]], 3),
        ("match", [[1, 2, 3, 9]], [100, 101, 102]),
        ("match", [[1, 2, 5, 6, 7, 8]], [100, 101, 106, 107, 108]),
        ("match", [[8, 1]], [111]),
        ("match", [[2, 3]], []),
        ("match", [[]], []),
        ("match", [[1]], [100]),
        ("match", [[1, 2, 3, 4, 9, 9]], [100, 101, 102, 103, 116]),
        ("match", [[1, 2, 5, 8, 1]], [100, 101, 106, 120]),
    ]
    oracle.check_answers(student, expect, 1, told)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Cut the tokens into whole pages first, forget the rest, and compare whole pages: two that differ in one token share nothing.",
    handout="2.24",
)
def test_whole_pages(student, expect):
    """RadixCache: pages of 4 tokens, prompts that end or part within one"""
    told = [
        ("insert", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [100, 101, 102]], 0),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]], [100, 101]),
        ("match", [[0, 1, 2]], []),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7]], [100, 101]),
        ("match", [[0, 1, 2, 3, 4, 5, 99, 98]], [100]),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 99, 98, 97, 96, 95]], [100, 101]),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]], [100, 101, 102]),
        ("insert", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 90, 91, 92, 93], [103, 104, 105]], 2),
        ("insert", [[0, 1, 2, 3, 4, 80, 81, 82], [106, 107]], 1),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 90, 91, 92]], [100, 101, 105]),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 90, 91, 92, 93, 1, 2, 3]], [100, 101, 105]),
        ("match", [[0, 1, 2, 3, 4, 80, 81, 82]], [100, 107]),
        ("match", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]], [100, 101, 102]),
    ]
    oracle.check_answers(student, expect, 4, told)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Only a page that nothing continues may go. When the last page of an edge goes, what is above it may be the next.",
    handout="2.25",
)
def test_what_goes_first(student, expect):
    """RadixCache: the least recently used pages go, from the ends"""
    told = [
        ("insert", [[1, 1, 2, 2, 3, 3], [100, 101, 102]], 0),
        ("insert", [[1, 1, 4, 4, 5, 5, 6, 6], [103, 104, 105, 106]], 1),
        ("match", [[1, 1, 2, 2]], [100, 101]),
        ("evict", [2], [102, 106]),
        ("match", [[1, 1, 4, 4, 5, 5]], [100, 104, 105]),
        ("evict", [3], [101, 105, 104]),
        ("match", [[1, 1, 4, 4]], [100]),
        ("evict", [10], [100]),
    ]
    oracle.check_answers(student, expect, 2, told)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "After a request, take the one that has most in common with those that have just run: that is depth first.",
    handout="2.26",
)
def test_an_order_of_requests(student, rng, expect):
    """cache_aware_order: all requests wait, the cache is empty and holds one of them"""
    prompts = oracle.prompts_of(rng, groups=3, topics=2, each=4)
    found = oracle.in_a_row(prompts, oracle.checked_order(student, expect)(prompts, [0] * len(prompts)))
    most = oracle.most_tokens(prompts)
    expect.that(
        found == most, f"{found:,} tokens are shared with the request before, and the best order shares {most:,}"
    )
