"""Task 3, public checks: the Hessian, the triangle, rounding to nearest as a special case, and a matrix of eight columns."""

from __future__ import annotations

import gptq_oracle as oracle
import numpy as np
import pytest

pytestmark = pytest.mark.task("3")


@pytest.mark.points(1)
@pytest.mark.hint("Add 2 xᵀx of each batch and divide by the number of all samples at the end.", handout="3.9")
def test_hessian(student, rng, expect):
    """hessian: batches of different lengths"""
    batches = [rng.normal(size=(int(samples), 5)) for samples in rng.permutation([1, 4, 9])]
    want = oracle.second_moments(np.concatenate(batches))
    expect.near(student.call("hessian", batches=batches), want, "float64", what="Hessian", roundings=64)


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Invert the damped matrix, then take the Cholesky factor of the inverse as an upper triangle.", handout="3.9"
)
def test_inverse_factor(student, rng, expect):
    """inverse_factor: the triangle of the inverse"""
    k = int(rng.integers(5, 9))
    h = oracle.second_moments(rng.normal(size=(4 * k, k)))
    lower = np.linalg.cholesky(np.linalg.inv(oracle.damped(h, 0.02)))
    # an inverse and two factorisations: float64 times the matrix' condition, at most some thousands
    expect.close(student.call("factor", h=h, damp=0.02), lower.T, what="triangle", rtol=1e-8, atol=1e-9)


@pytest.mark.points(1)
@pytest.mark.hint(
    "With an identity nothing is taken off later columns, so the grids and codes are those of rounding.", handout="3.10"
)
def test_identity_is_rounding(student, rng, expect):
    """gptq: with independent inputs it rounds to nearest"""
    w, bits = rng.normal(size=(5, 20)), int(rng.integers(2, 6))
    got = student.call("gptq", w=w, h=2.0 * np.eye(20), bits=bits)
    oracle.compared(expect, got, oracle.nearest(w, bits))


@pytest.mark.points(2)
@pytest.mark.hint(
    "After column i is rounded, take e · U[i, j] off every later column j, where e is what is lost over U[i, i].",
    handout="3.10",
)
def test_eight_columns(student, rng, expect):
    """gptq: eight columns, as optimal brain quantization rounds them"""
    w, h = rng.normal(size=(6, 8)), oracle.second_moments(oracle.inputs(rng, 40, 8))
    got = student.call("gptq", w=w, h=h, bits=4)
    oracle.compared(expect, got, oracle.obq(w, h, 4))
