# threat: D66
# verdict: failed
# message: returned float64 \(1,\), expected float64 \(4, 3\)
import numpy as np


def add(a, b):
    return np.zeros(1)
