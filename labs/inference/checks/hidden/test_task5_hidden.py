"""Task 5, hidden checks: random loads under every limit, order, stalls, idle room, and goodput."""

from __future__ import annotations

import pytest
import scheduling_oracle as oracle
from hidden import policies

pytestmark = [pytest.mark.task("5"), pytest.mark.hidden]


def tight(rng):
    """Limits that all bind at some time, and a load for them."""
    limits = {
        "token_budget": int(rng.integers(8, 40)),
        "max_requests": int(rng.integers(3, 8)),
        "block_size": int(rng.choice([1, 4, 8])),
    }
    jobs = oracle.random_jobs(rng, 14, prompts=(1, 50), answers=(1, 24), rate=float(rng.uniform(5, 30)))
    largest = max(-(-(len(job.words) + job.answer + 1) // limits["block_size"]) for job in jobs)
    return jobs, limits | {"num_blocks": int(largest * rng.uniform(1.0, 2.0))}


@pytest.mark.points(2)
@pytest.mark.hint(
    "A preempted request has cached 0 and starts over with all its known tokens, the generated ones too; count its blocks as free.",
    handout="2.19",
)
def test_random_loads_under_every_limit(student, rng, expect):
    """schedule: loads with tight budgets, seats and memory; answers as when each runs alone"""
    for _ in range(6):
        jobs, limits = tight(rng)
        oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check()
    jobs = oracle.random_jobs(rng, 12, prompts=(2, 9), answers=(2, 9), rate=0.0)  # all at once, more than seats
    limits = {"token_budget": 60, "max_requests": 4, "block_size": 4, "num_blocks": 100}
    oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check()


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "When the first that waits does not fit, nobody behind it starts either, however small; victims are taken from the end.",
    handout="2.18",
)
def test_first_come_first_served(student, rng, expect):
    """schedule: nobody overtakes, in starts and in preemptions"""
    for _ in range(4):
        jobs, limits = tight(rng)
        oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check("order")


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Who has one token left to compute comes before every prompt, also before prompts that came earlier.",
    handout="2.18",
)
def test_no_stalls(student, rng, expect):
    """schedule: whoever generates takes part in every step"""
    for _ in range(4):
        jobs, limits = tight(rng)
        limits["token_budget"] = max(limits["token_budget"], limits["max_requests"])
        oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check("stalls")


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "After the chunk that ends a prompt, go on with the next request as long as budget, seats and blocks are left.",
    handout="2.18",
)
def test_nothing_idles(student, rng, expect):
    """schedule: no budget is left while somebody could use it"""
    for _ in range(4):
        jobs, limits = tight(rng)
        oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check("idle")
    jobs = oracle.random_jobs(rng, 12, prompts=(60, 150), answers=(1, 12), rate=20.0)
    limits = {"token_budget": 40, "max_requests": 6, "block_size": 4, "num_blocks": 200}
    oracle.Server(expect, jobs, **limits).run(oracle.asking(student)).check("idle")


@pytest.mark.points(3)
@pytest.mark.measured
@pytest.mark.hint(
    "Fill every step up to the budget: generating requests first, then prompts in chunks, so that nobody waits for a whole prompt.",
    handout="2.20",
)
def test_goodput(student, rng, expect, measure):
    """Requests a second that met the objective, over those of static batching"""
    jobs = oracle.random_jobs(rng, 100, prompts=(30, 500), answers=(4, policies.LONGEST_ANSWER), rate=7.0)
    limits = {"token_budget": 256, "max_requests": 32, "block_size": 16, "num_blocks": 900}
    server = oracle.Server(expect, jobs, **limits).run(oracle.asking(student))
    server.check_answers()
    static, ours = (
        oracle.Server(expect, jobs, **limits).run(one).goodput() for one in (policies.static, policies.in_turn)
    )
    static = max(static, ours / 6)  # where it meets the objective for next to nobody
    beaten = server.goodput() / ours
    name = "goodput / that of static batching" + (f" (more than ours, by {beaten - 1:.1%})" if beaten > 1.0005 else "")
    measure.ratio(name, server.goodput() / static, full_at=0.98 * ours / static, zero_at=1.0)
