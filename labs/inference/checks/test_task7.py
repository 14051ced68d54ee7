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
    script = oracle.Script(page_size=1)
    for tokens in ([1, 2, 3, 4], [1, 2, 5, 6, 7], [1, 2], [8], [1, 2, 3, 4, 9], [1, 2, 5, 8]):
        script.do("insert", tokens)
    for tokens in ([1, 2, 3, 9], [1, 2, 5, 6, 7, 8], [8, 1], [2, 3], [], [1], [1, 2, 3, 4, 9, 9], [1, 2, 5, 8, 1]):
        script.do("match", tokens)
    script.check(student, expect)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Cut the tokens into whole pages first, forget the rest, and compare whole pages: two that differ in one token share nothing.",
    handout="2.24",
)
def test_whole_pages(student, expect):
    """RadixCache: pages of 4 tokens, prompts that end or part within one"""
    script = oracle.Script(page_size=4)
    long = list(range(14))
    script.do("insert", long)
    for tokens in (long[:11], long[:3], long[:8], [*long[:6], 99, 98], [*long[:8], 99, 98, 97, 96, 95], long):
        script.do("match", tokens)
    script.do("insert", [*long[:9], 90, 91, 92, 93])
    script.do("insert", [*long[:5], 80, 81, 82])
    for tokens in ([*long[:9], 90, 91, 92], [*long[:9], 90, 91, 92, 93, 1, 2, 3], [*long[:5], 80, 81, 82], long):
        script.do("match", tokens)
    script.check(student, expect)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Only a page that nothing continues may go. When the last page of an edge goes, what is above it may be the next.",
    handout="2.25",
)
def test_what_goes_first(student, expect):
    """RadixCache: the least recently used pages go, from the ends"""
    script = oracle.Script(page_size=2)
    script.do("insert", [1, 1, 2, 2, 3, 3])
    script.do("insert", [1, 1, 4, 4, 5, 5, 6, 6])
    script.do("match", [1, 1, 2, 2])
    script.do("evict", 2)
    script.do("match", [1, 1, 4, 4, 5, 5])
    script.do("evict", 3)
    script.do("match", [1, 1, 4, 4])
    script.do("evict", 10)
    script.check(student, expect)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "After a request, take the one that has most in common with those that have just run: that is depth first.",
    handout="2.26",
)
def test_an_order_of_requests(student, rng, expect):
    """cache_aware_order: all requests wait, the cache is empty and small"""
    prompts = oracle.prompts_of(rng, groups=3, topics=2, each=4)
    order = oracle.checked_order(student, expect)
    found = oracle.found_tokens(order, prompts, window=len(prompts), batch=len(prompts), capacity=150)
    most = oracle.most_tokens(prompts)
    expect.that(found == most, f"{found:,} tokens were found in the cache, and the best order finds {most:,}")
