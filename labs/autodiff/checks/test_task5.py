"""Task 5, public checks: a buffer plan, a checkpointed chain, a plan within a budget, and a prediction."""

from __future__ import annotations

import memory
import numpy as np
import pytest
from answers import all_close, field, number

pytestmark = pytest.mark.task("5")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Find the last step that reads each value; after that step its buffer is free for a later value of the same size.",
    handout="1.18",
)
def test_buffers_are_used_again(student, rng, expect):
    """plan_buffers: a program of values of one size"""
    program = memory.random_program(rng, steps=12, kinds=[64])
    plan = student.call("buffers", **dict(zip(("sizes", "reads", "outputs"), program, strict=True)))
    found = memory.replay_buffers(expect, plan, *program)
    expect.equal(found, memory.least_buffers(*program), what="bytes of all buffers")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Forwards keep the input of each segment; backwards run the segment again from it, keep what its layers save, and sweep through them.",
    handout="1.19",
)
def test_a_checkpointed_chain(student, rng, expect):
    """checkpointed_gradient: two segments and a layer that keeps what it saves"""
    weights = [rng.normal(size=(2, 4)) for _ in range(5)]
    x, cotangent = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    call = {"weights": weights, "dropout": [0.0] * 5, "x": x, "cotangent": cotangent, "seed": 0}
    got = student.call("chain_gradient", **call, segments=[[0, 2], [2, 4]])
    output, pulled, gradients, _ = memory.plain_gradient(weights, [0.0] * 5, x, cotangent, 0)
    expect.close(field(expect, got, "output"), output, what="output")
    expect.close(field(expect, got, "cotangent"), pulled, what="cotangent of x")
    all_close(expect, field(expect, got, "gradients"), gradients, [f"gradient of layer {i}" for i in range(5)])
    expect.equal(field(expect, got, "forwards"), [2, 2, 2, 2, 1], what="times that each layer ran forwards")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Compare all ways to arrive at layer i by two numbers, bytes held and work done again; drop a way that another beats in both.",
    handout="1.20",
)
def test_a_plan_within_a_budget(student, rng, expect):
    """plan_checkpoints: the least work within a budget"""
    saved, inputs, flops = memory.random_layers(rng, 8)
    budget = (memory.smallest_peak(saved, inputs) + sum(saved)) // 2
    got = student.call("checkpoint_plan", saved=saved, inputs=inputs, flops=flops, budget=budget)
    peak, work = memory.replay_plan(saved, inputs, flops, memory.check_segments(expect, got, 8))
    expect.that(peak <= budget, f"the plan holds {peak:,} bytes, and the budget is {budget:,}")
    expect.equal(work, memory.best_within(saved, inputs, flops, budget), what="work of the layers in segments")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "When the sweep reaches the last segment, the inputs of all segments before it are held, and all that the segment itself saves.",
    handout="1.17",
)
def test_prediction_of_a_peak(student, rng, expect, measure):
    """Bytes held at most by a chain, as predicted and as counted"""
    k, steps = int(rng.integers(3, 6)), int(rng.integers(3, 7))
    layers, x = k * int(rng.integers(3, 6)), rng.normal(size=(int(rng.integers(20, 40)), 8))
    arguments = {"layers": layers, "k": k, "steps": steps, "input_bytes": x.nbytes}
    predicted = number(
        expect, student.call("predicted", function="predict_peak", arguments=arguments), "the prediction"
    )
    weights = [rng.normal(size=(steps, 8)) for _ in range(layers)]
    segments = [[start, start + k] for start in range(0, layers, k)]
    call = {"weights": weights, "dropout": [0.0] * layers, "x": x, "cotangent": np.ones_like(x), "seed": 0}
    got = student.call("chain_gradient", **call, segments=segments)
    pulled = memory.plain_gradient(weights, [0.0] * layers, x, np.ones_like(x), 0)[1]
    expect.close(field(expect, got, "cotangent"), pulled, what="cotangent of x")
    counted = number(expect, field(expect, got, "peak"), "the count")
    least = memory.smallest_peak([(steps + 1) * x.nbytes] * layers, [x.nbytes] * layers)
    expect.that(counted >= least, "fewer bytes were counted than any plan can do with")
    name = f"the bytes of {layers} layers in segments of {k}"
    measure.prediction(name, predicted, counted, tolerance=0.15, unit="B")
