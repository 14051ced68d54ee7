from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.task("1")


@pytest.mark.hidden
@pytest.mark.points(4)
@pytest.mark.hint("Think of arrays without elements.")
def test_empty(student, expect):
    """arrays without elements"""
    expect.close(student.call("add", a=np.zeros((0, 3)), b=np.zeros((0, 3))), np.zeros((0, 3)))
