from __future__ import annotations

import pytest
from shapes import random_shape

pytestmark = pytest.mark.task("1")


@pytest.mark.points(4)
@pytest.mark.hint("Add element by element.", handout="1.1")
def test_adds(student, rng, expect):
    """adds two arrays"""
    shape = random_shape(rng)
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    expect.close(student.call("add", a=a, b=b), a + b, what="a + b")
