"""Task 2 on a GPU: the product's speed against float16 weights by the vendor's library."""

from __future__ import annotations

import pytest

from grader.checks.charts import roofline
from grader.checks.timing import SpeedTrial, TimedDriver
from mlsys_core.workloads.devices import DEVICES, H200

pytestmark = [pytest.mark.task("2"), pytest.mark.hidden, pytest.mark.gpu]

# four layers of a large model side by side: a call takes several times what a host needs to start it
N, K, GROUP = 4 * 28_672, 8_192, 128
NONE_AT, FULL_AT, OF_OURS = 1.2, 3.0, 0.85
CALLS = 9


def speedup(student, reference, rng, measure, m):
    """The student's speed over float16, with its interval, and the reference's."""
    sizes = {"m": m, "n": N, "k": K, "group": GROUP}
    ours, theirs = (TimedDriver(program, "product", sizes) for program in (student, reference))
    moved = N * K / 2 + 2 * N * K / GROUP + 2 * m * (N + K)
    named = reference.call("card").split()[1:2]
    card = next((one for one in DEVICES if one.name in named), H200)
    # outputs are rounded to float16, 5e-4 of their size, and sums come in other orders: 1e-2 is twenty times that
    trial = SpeedTrial(ours, theirs, rng, floor_ms=moved / card.bandwidth * 1e3, rtol=1e-2, on_gpu=True)
    found = trial.run(rounds=10)
    best, plain = theirs.median_ms(rng, calls=CALLS), theirs.median_ms(rng, calls=CALLS, plain=True)
    flops = 2.0 * m * N * K
    roof = {"device": card.name, "peak": card.peak("float16"), "bandwidth": card.bandwidth}
    measure.chart(roofline(**roof, intensity=flops / moved, rate=flops / (found.ratio * best / 1e3)))
    return found, plain / best


@pytest.mark.points(3)
@pytest.mark.measured
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint(
    "Load whole words, many at a time; a nibble under the exponent of a float is a number without a conversion.",
    handout="3.8",
)
def test_one_token(student, reference, rng, measure):
    """Speed for one token on a GPU, over float16 weights"""
    found, ours = speedup(student, reference, rng, measure, 1)
    value = ours / found.ratio
    interval = {"low": ours / found.high, "high": ours / found.low, "samples": found.samples}
    # three times, or 0.85 of what the instructor's kernel reaches on this card where that is less
    full_at = max(min(FULL_AT, OF_OURS * ours), 1.01 * NONE_AT)
    measure.ratio(
        f"speed over float16 (the instructor's {ours:.2f})", value, full_at=full_at, zero_at=NONE_AT, **interval
    )


@pytest.mark.points(1.5)
@pytest.mark.measured
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint(
    "Give the tensor cores tiles of 16 words of each nibble, and keep the next words on their way.", handout="3.8"
)
@pytest.mark.parametrize("m", [16, 64], ids=["16 tokens", "64 tokens"])
def test_several_tokens(student, reference, rng, measure, m):
    """Speed on a GPU against the instructor's kernel"""
    found, ours = speedup(student, reference, rng, measure, m)
    name = f"time / the instructor's ({ours / found.ratio:.2f} times float16's speed; the instructor's {ours:.2f})"
    interval = {"low": found.low, "high": found.high, "samples": found.samples}
    measure.ratio(name, found.ratio, full_at=1 / OF_OURS, zero_at=2.0, **interval)
