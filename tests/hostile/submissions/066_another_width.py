# threat: D66
# verdict: failed
# check: weighs
# message: returned float64 \(6,\), expected float32 \(6,\)
# score: 6
import numpy as np


def weigh(rows, weights):
    return rows.astype(np.float64) @ weights.astype(np.float64)
