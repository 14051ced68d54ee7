"""Task 8, public check: models that can be read, of two random weights."""

from __future__ import annotations

import numpy as np
import pytest
import stored

pytestmark = pytest.mark.task("8")


@pytest.mark.points(0.35)
@pytest.mark.hint(
    "Each entry says what is stored, in the types of the table; the best of the models should be near.", handout="3.33"
)
def test_models_that_can_be_read(student, rng, expect):
    """compress_model: two random weights"""
    weights = {"one": rng.normal(size=(24, 32)).astype(np.float32), "two": rng.normal(size=(8, 48)).astype(np.float32)}
    hessians = {}
    for name, weight in weights.items():
        inputs = rng.normal(size=(200, weight.shape[1])).astype(np.float32)
        hessians[name] = inputs.T @ inputs / 200
    models = student.call("compressed_models", weights=weights, hessians=hessians)
    expect.that(isinstance(models, list) and models, "compress_model returned no models")
    errors = []
    for model in models:
        expect.that(
            isinstance(model, dict) and set(model) == set(weights), "a model should have the names of all weights"
        )
        found = [stored.looked_at(expect, model[name], one.shape, name) for name, one in weights.items()]
        expect.that(
            sum(size for _, size in found) < sum(2 * one.size for one in weights.values()),
            "a model is larger than 16 bits a weight",
        )
        squares = [
            ((new - one) ** 2).sum() / (one**2).sum() for (new, _), one in zip(found, weights.values(), strict=True)
        ]
        errors.append(max(squares))
    expect.that(min(errors) < 0.1, f"the best model is off by {min(errors):.0%} of the weights' squares")
