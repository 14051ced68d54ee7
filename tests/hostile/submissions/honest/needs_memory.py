# honest: much, but less than it may
import numpy as np


def add(a, b):
    table = np.ones(100 << 17)
    return (a + b) * table.mean()
