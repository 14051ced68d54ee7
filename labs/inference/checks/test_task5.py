"""Task 5, public checks: a few requests, a long prompt among answers, and too little memory."""

from __future__ import annotations

import pytest
import scheduling_oracle as oracle

pytestmark = pytest.mark.task("5")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "A chunk goes from request.cached to at most request.tokens; the lengths of all chunks add up to at most token_budget.",
    handout="2.17",
)
def test_a_few_requests(student, rng, expect):
    """schedule: six requests with room for all, answers as when each runs alone"""
    jobs = oracle.random_jobs(rng, 6, prompts=(3, 20), answers=(1, 8), rate=20.0)
    server = oracle.Server(expect, jobs, token_budget=16, max_requests=8, block_size=4, num_blocks=100)
    server.run(oracle.asking(student)).check("order")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "First one token for each request that is generating, then what is left of the budget for the next piece of the prompt.",
    handout="2.18",
)
def test_a_long_prompt_among_answers(student, rng, expect):
    """schedule: a prompt of 90 tokens in chunks, while others generate without a stall"""
    jobs = oracle.random_jobs(rng, 4, prompts=(3, 9), answers=(15, 25), rate=0.0)
    jobs += oracle.random_jobs(rng, 1, prompts=(90, 91), answers=(4, 5), rate=9.0)
    jobs[-1].number = 4
    server = oracle.Server(expect, jobs, token_budget=12, max_requests=8, block_size=4, num_blocks=100)
    server.run(oracle.asking(student)).check("stalls", "idle")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A request needs a new block where its cache ends at the end of one. If none is free, the last to have come gives its blocks back.",
    handout="2.19",
)
def test_too_little_memory(student, rng, expect):
    """schedule: three requests that grow beyond the blocks there are"""
    jobs = oracle.random_jobs(rng, 3, prompts=(8, 11), answers=(14, 18), rate=0.0)
    server = oracle.Server(expect, jobs, token_budget=40, max_requests=8, block_size=4, num_blocks=14)
    server.run(oracle.asking(student)).check("order")
    expect.that(server.preemptions > 0, "nobody was preempted, and the blocks do not hold all three")
