"""Task 1, public checks: symmetric grids by channel and group, the way back, and a prediction."""

from __future__ import annotations

import numpy as np
import pytest
import rtn_oracle as oracle
from answers import field, number

pytestmark = pytest.mark.task("1")


@pytest.mark.points(1)
@pytest.mark.hint(
    "The scale is the largest absolute value of the row over 2^(bits-1) - 1, which is 7 for four bits.", handout="3.4"
)
def test_symmetric_by_channel(student, rng, expect):
    """quantize: symmetric, one grid a row"""
    w, bits = rng.normal(size=(5, 37)) * rng.uniform(0.1, 3, size=(5, 1)), int(rng.integers(3, 9))
    oracle.checked(expect, student.call("quantized", w=w, bits=bits), w, bits, f"{bits} bits")


@pytest.mark.points(1)
@pytest.mark.hint("A row of k weights has k / group grids: cut it into runs of neighbours.", handout="3.4")
def test_symmetric_by_group(student, rng, expect):
    """quantize: symmetric, one grid for each 16 neighbours"""
    w = rng.normal(size=(3, 64)) * rng.uniform(0.1, 3, size=(3, 64))
    settings = {"per": "group", "group": 16}
    oracle.checked(expect, student.call("quantized", w=w, bits=4, **settings), w, 4, **settings)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "A code stands for (q - zero) · scale, with the scale and the zero of the column's run.", handout="3.4"
)
def test_the_way_back(student, rng, expect):
    """dequantize: given codes, scales and zeros"""
    rows, runs, group = 4, 3, int(rng.integers(5, 9))
    codes = {
        "q": rng.integers(16, size=(rows, group * runs)).astype(np.int32),
        "scale": rng.uniform(0.1, 1, size=(rows, runs)),
        "zero": rng.integers(16, size=(rows, runs)).astype(np.int32),
        "group": group,
    }
    expect.near(student.call("dequantized", **codes), oracle.weights(codes), "float64", what="weights")


@pytest.mark.points(1.25)
@pytest.mark.measured
@pytest.mark.hint(
    "What is lost is spread evenly from -s/2 to s/2: what is the mean of its square? Then the mean over all runs.",
    handout="3.5",
)
def test_prediction_of_the_error(student, rng, expect, measure):
    """Mean squared error of rounding, as predicted and as measured"""
    rows, group, bits = int(rng.integers(40, 60)), 64, int(rng.integers(4, 7))
    w = rng.normal(size=(rows, 8 * group)) * rng.uniform(0.1, 2, size=(rows, 1))
    settings = {"per": "group", "group": group}
    scale = oracle.quantized(w, bits, **settings)["scale"]
    said = student.call("predicted_error", scale=scale)
    predicted = number(expect, said, "the prediction")
    got = oracle.checked(expect, student.call("quantized", w=w, bits=bits, **settings), w, bits, **settings)
    expect.that(field(expect, got, "kept") is True, "the weights changed")
    found = float(((oracle.weights(got) - w) ** 2).mean())
    measure.prediction("the mean squared error", predicted, found, tolerance=0.05)
