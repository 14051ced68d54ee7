"""Task 1, public checks: positions, rotations, one sequence with and without a cache, and a prediction."""

from __future__ import annotations

import decoder
import numpy as np
import pytest
from answers import field, number

pytestmark = pytest.mark.task("1")


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Count the real tokens of a row from the left with cumsum; the first one is at position 0.", handout="2.4"
)
def test_positions(student, rng, expect):
    """token_positions: padding at the left, at the right, and none"""
    mask = np.array([[False, False, True, True, True], [True, True, False, False, False], [True] * 5])
    want = np.array([[-1, -1, 0, 1, 2], [0, 1, -1, -1, -1], [0, 1, 2, 3, 4]])
    order = rng.permutation(3)
    expect.close(student.call("token_positions", mask=mask[order]), want[order], what="positions", rtol=0, atol=0)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Element i is paired with element i + D/2, and the angle depends on the position that is given.", handout="2.4"
)
def test_rope(student, rng, expect):
    """rope: random positions in each row"""
    x = rng.normal(size=(2, 3, 5, 8)).astype(np.float32)
    positions = rng.integers(0, 40, size=(2, 5))
    want = np.stack([decoder.turned(one, at) for one, at in zip(x, positions, strict=True)])
    expect.near(student.call("rotated", x=x, positions=positions), want, "float32", what="turned heads")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Compare with a run that has no cache: after each step, the logits must be those of the whole prefix.",
    handout="2.5",
)
def test_one_sequence(student, rng, expect):
    """generate_tokens: the tokens of a model without a cache"""
    config, weights, prompts, want = decoder.clear_case(rng, [6], 7)
    tokens, mask = decoder.padded(prompts, rng, "left")
    got = student.call("generated", config=config, weights=weights, tokens=tokens, mask=mask, steps=7)
    expect.close(got, want, what="tokens", rtol=0, atol=0)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "A token goes through every matrix of every layer once, and the last one that is chosen goes through none.",
    handout="2.11",
)
def test_prediction_of_operations(student, rng, expect, measure):
    """Operations of a generation, as predicted and as counted"""
    batch, prompt, steps = (int(rng.integers(low, low + 5)) for low in (2, 8, 6))
    config, weights = decoder.random_model(rng, layers=int(rng.integers(1, 4)), hidden=int(rng.integers(30, 60)))
    said = student.call("predicted_generation", config=config, batch=batch, prompt=prompt, steps=steps)
    predicted = number(expect, said, "the prediction")
    tokens, mask = rng.integers(config["vocabulary"], size=(batch, prompt)), np.ones((batch, prompt), bool)
    got = student.call("counted_generation", config=config, weights=weights, tokens=tokens, mask=mask, steps=steps)
    counted = number(expect, field(expect, got, "flops"), "the count")
    measure.prediction("the operations of a generation", predicted, counted, tolerance=0.02)
