from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.task("1")
@pytest.mark.hidden
@pytest.mark.points(2)
@pytest.mark.hint("Think of arrays without elements.")
def test_empty(student, expect):
    """arrays without elements"""
    expect.close(student.call("add", a=np.zeros((0, 3)), b=np.zeros((0, 3))), np.zeros((0, 3)))


@pytest.mark.task("2")
@pytest.mark.points(2)
@pytest.mark.parametrize("factor", [2.0, -1.0])
def test_scales(student, rng, expect, factor):
    """scales an array"""
    a = rng.normal(size=(3,))
    expect.close(student.call("scale", a=a, factor=factor), a * factor)
