"""Task 7, hidden checks: any order of operations, locks, eviction among splits, long sequences, and the hit rate of an order."""

from __future__ import annotations

import pytest
import radix_oracle as oracle
from hidden import tries

pytestmark = [pytest.mark.task("7"), pytest.mark.hidden]


@pytest.mark.points(1.75)
@pytest.mark.hint(
    "A cut edge has two parts with the same time and the same locks; a match that ends within an edge uses the upper part alone.",
    handout="2.24",
)
def test_any_order_of_operations(student, rng, expect):
    """RadixCache: random operations with pages of 1, 2 and 3 tokens"""
    for page_size in (1, 2, 3):
        tries.random_script(rng, 350, page_size).check(student, expect)


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "A lock holds the whole path from the root. It is counted on each edge, and a cut edge hands its count to both parts.",
    handout="2.25",
)
def test_locked_prefixes(student, expect):
    """RadixCache: locks that are counted, shared, cut in two, and survive what hangs below"""
    script = tries.Script(page_size=2)
    text = [1, 1, 2, 2, 3, 3, 4, 4]
    script.do("insert", text)
    for _ in range(2):
        script.do("lock", text[:7])
    script.do("insert", [*text[:4], 9, 9])
    script.do("evict", 9)
    script.do("lock", [*text[:2], 7, 7])
    script.do("unlock", text[:6])
    script.do("evict", 9)
    script.do("unlock", text[:6])
    script.do("evict", 1)
    script.do("match", text)
    script.do("insert", [5, 5])
    script.do("insert", text)
    script.do("evict", 9)
    script.do("unlock", text[:2])
    script.do("evict", 9)
    script.do("insert", text)
    script.do("lock", [3, 3])
    script.do("evict", 2)
    script.do("match", text)
    script.check(student, expect)


@pytest.mark.points(1)
@pytest.mark.hint(
    "insert uses known pages too, lock uses none, and a match that finds half of an edge leaves the other half old.",
    handout="2.25",
)
def test_eviction_among_splits(student, rng, expect):
    """RadixCache: pages go one at a time in order of use, after matches of parts"""
    script = tries.Script(page_size=2)
    texts = [[i, i, *(j for j in range(8) for _ in range(2))] for i in range(6)]
    for text in texts:
        script.do("insert", text)
    for text in rng.permutation(len(texts)):
        script.do(str(rng.choice(["match", "insert", "match"])), texts[text][: int(rng.integers(1, 9)) * 2])
        held = texts[int(rng.integers(len(texts)))][:4]
        pages = script.do("lock", held)
        script.do("evict", 1)
        script.do("unlock", held[: 2 * pages])
    for count in (1, 2, 5, 0, 3, 50):
        script.do("evict", count)
    for continued in ([1, 1, 2, 2, 4, 4], [1, 1, 2, 2]):
        script.do("insert", [1, 1, 2, 2])
        script.do("match", [1, 1])
        script.do("insert", [3, 3])
        script.do("insert", continued)  # what it finds is used with what is new
        script.do("lock", [3, 3])
        script.do("evict", 1)
        script.do("unlock", [3, 3])
        script.do("evict", 1)
        script.do("evict", 9)
    script.check(student, expect)


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "A path may be thousands of pages long: walk it in a loop, not by a function that calls itself.", handout="2.24"
)
def test_long_sequences(student, rng, expect):
    """RadixCache: a prompt of 4,000 pages that is cut fifty times"""
    script = tries.Script(page_size=1)
    text = [int(one) for one in rng.integers(0, 9, size=4000)]
    script.do("insert", text)
    for stop in range(4000, 0, -80):
        script.do("match", text[:stop])
    script.do("insert", [*text, 1])
    script.check(student, expect)


@pytest.mark.points(3)
@pytest.mark.measured
@pytest.mark.hint(
    "Start where most is cached. After each request look anew: what has just run is in the cache then, and others may be gone.",
    handout="2.26",
)
def test_hit_rate_of_the_order(student, rng, expect, measure):
    """Tokens found in a small cache over those that the best order finds, while requests arrive"""
    found = most = 0
    for _ in range(2):
        prompts = oracle.prompts_of(rng, groups=5, topics=3, each=8)
        order = oracle.checked_order(student, expect)
        found += tries.found_tokens(order, prompts, window=90, batch=10, capacity=300)
        most += oracle.most_tokens(prompts)
    expect.that(found <= most, "more was found than there is to find")
    measure.ratio("tokens found / by the best order", found / most, full_at=0.96, zero_at=0.5)
