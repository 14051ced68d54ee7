from __future__ import annotations

import pytest

pytestmark = pytest.mark.task("1")


@pytest.mark.points(6)
@pytest.mark.hint("Add element by element.")
def test_adds(student, rng, expect):
    """adds two arrays"""
    a, b = rng.normal(size=4), rng.normal(size=4)
    expect.close(student.call("add", a=a, b=b), a + b)
