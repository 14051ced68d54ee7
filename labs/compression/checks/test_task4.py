"""Task 4, public checks: scales, eight bits times eight bits, and the search of AWQ."""

from __future__ import annotations

import numpy as np
import pytest
import scaling_oracle as oracle
from answers import field, number, pair

pytestmark = pytest.mark.task("4")


@pytest.mark.points(1)
@pytest.mark.hint("x_max to the power α over w_max to the power 1 - α, both at least 1e-5.", handout="3.13")
def test_smooth_scales(student, rng, expect):
    """smooth_scales: exponents between 0 and 1"""
    x_max, w_max, alpha = rng.uniform(0.1, 90, size=11), rng.uniform(0.01, 2, size=11), float(rng.uniform(0.2, 0.9))
    got = student.call("scales", x_max=x_max, w_max=w_max, alpha=alpha)
    expect.close(got, oracle.smooth_scales(x_max, w_max, alpha), what="scales", rtol=1e-10, atol=0)


@pytest.mark.points(0.75)
@pytest.mark.hint("Each row has a scale of its own, its largest absolute value over 127.", handout="3.12")
def test_quantize_rows(student, rng, expect):
    """quantize_rows: codes and scales of each token"""
    x = rng.normal(size=(5, 16)) * rng.uniform(0.1, 50, size=(5, 1))
    codes, scale = pair(expect, student.call("rows", x=x))
    want_codes, want_scale = oracle.rows(x)
    expect.close(scale, want_scale, what="scales", rtol=1e-12, atol=0)
    expect.close(codes, want_codes, what="codes", rtol=0, atol=0)


@pytest.mark.points(1)
@pytest.mark.hint("The product of codes times the scale of the token times the scale of the output.", handout="3.12")
def test_w8a8(student, rng, expect):
    """w8a8_linear: tokens and outputs of different sizes"""
    x, w = rng.normal(size=(6, 20)) * rng.uniform(0.1, 9, size=(6, 1)), rng.normal(size=(4, 20))
    w *= rng.uniform(0.1, 3, size=(4, 1))
    expect.near(student.call("linear", x=x, w=w), oracle.linear(x, w), "float64", what="result", roundings=64)


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "Try α = 0, 1/steps, …: divide the scales by √(max · min), and compare outputs of the rounded weights over s.",
    handout="3.14",
)
def test_awq(student, rng, expect):
    """awq_search: inputs of very different sizes"""
    w, x = rng.normal(size=(6, 32)), rng.normal(size=(40, 32)) * np.exp(rng.normal(size=32))
    got = student.call("awq", w=w, x=x, bits=3, group=16, steps=10)
    scales, alpha, error = oracle.awq(w, x, 3, 16, 10)
    expect.equal(
        round(number(expect, field(expect, got, "alpha"), "the exponent"), 9), round(alpha, 9), what="exponent"
    )
    # powers differ in their last digits; the error is a mean of squares of differences, and so has fewer digits
    expect.close(field(expect, got, "scales"), scales, what="scales", rtol=1e-9, atol=0)
    expect.close(field(expect, got, "error"), error, what="error", rtol=1e-6, atol=0)
