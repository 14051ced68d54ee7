from __future__ import annotations

import numpy as np
import pytest
from answers import field

pytestmark = pytest.mark.task("1")


@pytest.mark.points(2)
@pytest.mark.limits(wall_s=20)  # on a busy machine, too, what spins here meets the limit of processor time first
@pytest.mark.hint("Make a new array; the two that you were given belong to the caller.", handout="1.1")
def test_adds(student, rng, expect):
    """adds two arrays and leaves them as they were"""
    a, b = rng.normal(size=(2, 4, 3))
    answer = student.call("add", a=a, b=b)
    expect.close(field(expect, answer, "sum"), a + b, what="a + b")
    expect.equal(field(expect, answer, "a"), a, what="the first argument after the call")
    expect.equal(field(expect, answer, "b"), b, what="the second argument after the call")


@pytest.mark.points(2)
@pytest.mark.hint("The result is float32, one number for each row.", handout="1.1")
def test_weighs(student, rng, expect):
    """weighs rows: float32 in, float32 out"""
    rows, weights = rng.normal(size=(6, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    want = rows.astype(np.float64) @ weights.astype(np.float64)
    expect.close(student.call("weigh", rows=rows, weights=weights), want.astype(np.float32), rtol=1e-4, atol=1e-4)
