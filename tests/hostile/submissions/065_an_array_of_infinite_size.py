# threat: D65
# verdict: failed
# message: returned float64
import numpy as np


def add(a, b):
    return np.zeros((0, 1 << 40))
