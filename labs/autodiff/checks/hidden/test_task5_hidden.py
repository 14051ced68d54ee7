"""Task 5, hidden checks: buffers of many sizes, the same bits with dropout, what lives while the sweep runs, and the best plans."""

from __future__ import annotations

import itertools

import memory
import numpy as np
import pytest
from answers import all_close, field, number

pytestmark = [pytest.mark.task("5"), pytest.mark.hidden]


@pytest.mark.points(2)
@pytest.mark.hint(
    "Keep free buffers by size. A value that is read last by step i is still being read while step i writes.",
    handout="1.18",
)
def test_buffers_of_many_sizes(student, rng, expect):
    """plan_buffers: 20 programs with values of three sizes"""
    for _ in range(20):
        program = memory.random_program(rng, steps=int(rng.integers(20, 50)), kinds=[8, 24, 4096])
        plan = student.call("buffers", **dict(zip(("sizes", "reads", "outputs"), program, strict=True)))
        found = memory.replay_buffers(expect, plan, *program)
        expect.equal(found, memory.least_buffers(*program), what="bytes of all buffers")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A value that nobody reads is gone after its own step; an output stays, whoever else reads it before.",
    handout="1.18",
)
def test_corners_of_buffer_plans(student, expect):
    """plan_buffers: no steps, values that nobody reads, outputs that are read"""
    for sizes, reads, outputs in (
        ([], [], []),
        ([8] * 6, [[], [], [], [], [], []], []),
        ([8] * 5, [[], [0], [0, 1], [2, 2], [3]], [0, 4]),
        ([8, 16, 8, 16, 8], [[], [0], [1], [2], [3]], [4]),
    ):
        plan = student.call("buffers", sizes=sizes, reads=reads, outputs=outputs)
        found = memory.replay_buffers(expect, plan, sizes, reads, outputs)
        expect.equal(found, memory.least_buffers(sizes, reads, outputs), what="bytes of all buffers")


def chain(rng, layers):
    """Arguments of a call for a chain of unlike layers, half of them with dropout."""
    return {
        "weights": [rng.normal(size=(int(rng.integers(1, 7)), 6)) for _ in range(layers)],
        "dropout": [0.0 if i % 2 else 0.4 for i in range(layers)],
        "x": rng.normal(size=(7, 6)),
        "cotangent": rng.normal(size=(7, 6)),
        "seed": int(rng.integers(1 << 31)),
    }


def random_segments(rng, layers):
    """Some layers in segments, some not."""
    cuts = sorted({0, layers, *(int(i) for i in rng.integers(0, layers + 1, size=5))})
    return [[a, b] for a, b in itertools.pairwise(cuts) if rng.random() < 0.7]


@pytest.mark.points(2)
@pytest.mark.hint(
    "Before a segment runs again, put back the generator's state from before it ran first; at the end, the state after the forward pass.",
    handout="1.19",
)
def test_the_same_bits(student, rng, expect):
    """checkpointed_gradient: bit by bit the plain gradient, with dropout, whatever the segments"""
    exact = {"rtol": 0.0, "atol": 0.0}
    for layers in (1, 6, 9, 12):
        call = chain(rng, layers)
        output, pulled, gradients, following = memory.plain_gradient(**call)
        for segments in (random_segments(rng, layers), [[0, layers]], [], [[i, i + 1] for i in range(layers)]):
            got = student.call("chain_gradient", **call, segments=segments)
            expect.close(field(expect, got, "output"), output, what="output", **exact)
            expect.close(field(expect, got, "cotangent"), pulled, what="cotangent of x", **exact)
            names = [f"gradient of layer {i}" for i in range(layers)]
            all_close(expect, field(expect, got, "gradients"), gradients, names, **exact)
            expect.equal(field(expect, got, "next"), following, what="the generator's next number after the call")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "In the first pass hold what a layer saved only outside of segments; in the second, drop it once the layer is swept.",
    handout="1.19",
)
def test_what_lives_during_the_sweep(student, rng, expect):
    """checkpointed_gradient: bytes alive as the plan says, and at most 1.4 times the work"""
    for _ in range(3):
        call, size = chain(rng, 16), 7 * 6 * 8
        segments = memory.root_segments(16) if rng.random() < 0.5 else random_segments(rng, 16)
        got = student.call("chain_gradient", **call, segments=[list(one) for one in segments])
        inner = [len(w) + bool(p) for w, p in zip(call["weights"], call["dropout"], strict=True)]
        saved, work = [size * (1 + one) for one in inner], [len(w) for w in call["weights"]]
        peak, _ = memory.replay_plan(saved, [size] * 16, work, [tuple(one) for one in segments])
        found = number(expect, field(expect, got, "peak"), "the count")
        # the output and a layer's last result may live beside what the plan counts
        allowed = peak + max(saved) + 2 * size
        expect.that(found <= allowed, f"{found:,.0f} bytes were alive, and the plan needs {peak:,}")
        again = {layer for start, stop in segments for layer in range(start, stop)}
        runs = [2 if layer in again else 1 for layer in range(16)]
        forwards = field(expect, got, "forwards")
        expect.that(isinstance(forwards, list) and len(forwards) == 16, "the runs could not be counted")
        done = sum(n * w for n, w in zip(forwards, work, strict=True)) + 2 * sum(work)
        share = done / (3 * sum(work))
        expect.that(share <= 1.4, f"the work was {share:.2f} times that without checkpoints; 1.4 is the most")
        expect.equal(forwards, runs, what="times that each layer ran forwards")
        expect.equal(field(expect, got, "backwards"), [1] * 16, what="times that each layer was swept")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "The layers of a segment count as work, those that keep what they save do not: spend the budget where work is dear for its bytes.",
    handout="1.20",
)
def test_the_least_work_within_budgets(student, rng, expect):
    """plan_checkpoints: the least work for tight, middling and ample budgets"""
    for count in (1, 7, 14):
        saved, inputs, flops = memory.random_layers(rng, count)
        low, high = memory.smallest_peak(saved, inputs), sum(saved)
        for budget in (low, low + (high - low) // 4, low + (high - low) // 2, high - 1, high, 2 * high):
            got = student.call("checkpoint_plan", saved=saved, inputs=inputs, flops=flops, budget=budget)
            peak, work = memory.replay_plan(saved, inputs, flops, memory.check_segments(expect, got, count))
            allowed = max(budget, low)
            expect.that(peak <= allowed, f"the plan holds {peak:,} bytes, and the budget is {budget:,}")
            expect.equal(work, memory.best_within(saved, inputs, flops, allowed), what="work of the layers in segments")


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Look for the smallest budget for which a plan exists: halve the interval between too little and enough.",
    handout="1.20",
)
def test_the_smallest_peak(student, rng, expect, measure):
    """Bytes held at most by the plan for a budget that nothing fits"""
    while True:
        saved, inputs, flops = memory.random_layers(rng, 24)
        least = memory.smallest_peak(saved, inputs)
        root, _ = memory.replay_plan(saved, inputs, flops, memory.root_segments(24))
        if root >= 1.25 * least:
            break
    got = student.call("checkpoint_plan", saved=saved, inputs=inputs, flops=flops, budget=0)
    peak, _ = memory.replay_plan(saved, inputs, flops, memory.check_segments(expect, got, 24))
    # a curve on which the smallest peak is all of the points, and the peak of equal segments 60 %
    zero_at = float(np.power(root / least, 2.5))
    measure.ratio("peak of the plan / smallest peak", peak / least, full_at=1.0, zero_at=zero_at)
