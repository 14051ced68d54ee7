# judge-only-5f0c: this line is in no sandbox, and so in no report
from __future__ import annotations

import numpy as np
import pytest

UNSEEN = 86753.09375  # a float32 that no student is ever shown


@pytest.mark.task("1")
@pytest.mark.hidden
@pytest.mark.points(2)
@pytest.mark.hint("Large numbers that cancel need more digits than float32 has.", handout="1.1")
def test_weighs_what_cancels(student, rng, expect):
    """weighs rows whose terms cancel"""
    rows = rng.normal(size=(7, 9)).astype(np.float32)
    rows[:, 0], rows[:, -1] = 2.0**26, -(2.0**26)
    weights = np.ones(9, np.float32)
    weights[1] = UNSEEN
    want = rows.astype(np.float64) @ weights.astype(np.float64)
    expect.close(student.call("weigh", rows=rows, weights=weights), want.astype(np.float32), rtol=1e-6, atol=1e-3)
