# honest: right values in another memory layout
import numpy as np


def add(a, b):
    return np.asfortranarray(a + b)


def weigh(rows, weights):
    wide = rows.astype(np.float64) @ weights.astype(np.float64)
    return np.repeat(wide.astype(np.float32), 2)[::2]
