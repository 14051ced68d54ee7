"""Task 7, public checks: the loss, its gradients along random directions, Adam, and a prediction."""

from __future__ import annotations

import model
import numpy as np
import pytest
from answers import all_close, field, listed, number

pytestmark = pytest.mark.task("7")


def small(rng):
    """Weights and a batch of letters."""
    batch, time, width = (int(n) for n in rng.permutation([3, 5, 8]))
    width = 2 * width
    ((tokens, targets),), letters = model.batches(rng, 1, batch, time)
    weights = model.random_weights(rng, letters, time, width)
    return {"weights": weights, "tokens": tokens, "targets": targets, "heads": model.HEADS}


@pytest.mark.points(1)
@pytest.mark.hint(
    "Each half of a block reads a normalised copy and adds what it found to x; x itself is never normalised.",
    handout="1.23",
)
def test_the_loss(student, rng, expect):
    """transformer_loss: at random sizes and weights"""
    call = small(rng)
    want = model.loss(call["weights"], call["tokens"], call["targets"])
    expect.close(student.call("transformer_loss", **call), want, what="loss")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Sweep over tape_order backwards, add cotangents where they meet, and read off those of the weights.",
    handout="1.23",
)
def test_the_gradients(student, rng, expect):
    """gradients_of: along a random direction for each weight"""
    call = small(rng)
    got = student.call("transformer_gradients", **call)
    check_slopes(rng, expect, got, call)


def check_slopes(rng, expect, got, call):
    """Each gradient has its weight's shape and the right slope along a random direction."""
    for name, weight in call["weights"].items():
        gradient = field(expect, got, name)
        formed = isinstance(gradient, np.ndarray) and gradient.dtype == np.float64 and gradient.shape == weight.shape
        expect.that(formed, f"the gradient of {name} is no float64 array of shape {weight.shape}")
        direction = rng.normal(size=weight.shape)
        want = model.slope(call["weights"], call["tokens"], call["targets"], {name: direction})
        expect.close(float(np.sum(gradient * direction)), want, what=f"slope along a random direction of {name}")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Both averages start at zero, which is why they are divided by 1 − βᵗ; t counts from 1, and ε stands outside of the root.",
    handout="1.23",
)
def test_adam(student, rng, expect):
    """Adam: four steps of two weights"""
    shapes = {"a": (3, 2), "b": (4,)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    gradients = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(4)]
    got = student.call("adam_steps", weights=weights, gradients=gradients, lr=0.01)
    for step, (one, want) in enumerate(
        zip(listed(expect, got, "weights", 4), model.adam(weights, gradients, 0.01), strict=True), 1
    ):
        found = [field(expect, one, name) for name in want]
        all_close(expect, found, list(want.values()), [f"{name} after step {step}" for name in want])
    expect.that(field(expect, got, "kept") is True, "step changed the weights that it was given")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "Twelve matrices of width² a block and one for the letters, three products for each; then the products inside of attention.",
    handout="1.17",
)
def test_prediction_of_operations(student, rng, expect, measure):
    """Operations of a training step, as predicted and as counted"""
    batch, time, width = int(rng.integers(2, 6)), int(rng.integers(12, 28)), 2 * int(rng.integers(4, 9))
    ((tokens, targets),), letters = model.batches(rng, 1, batch, time)
    arguments = {"batch": batch, "time": time, "width": width, "vocabulary": letters}
    said = student.call("predicted", function="predict_step_operations", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    weights = model.random_weights(rng, letters, time, width)
    call = {"weights": weights, "tokens": tokens, "targets": targets, "heads": model.HEADS}
    counted = number(expect, student.call("counted_step", **call), "the count")
    least = 6 * batch * time * (24 * width**2 + width * letters)
    expect.that(
        counted >= least, "fewer operations were counted than the projections take; train through the given operations"
    )
    measure.prediction("the operations of one step", predicted, counted, tolerance=0.02)
