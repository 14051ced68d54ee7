# threat: A10
# verdict: memory limit
# message: more than 192 MB
# Where there is swap this would go on for minutes.
import numpy as np


def add(a, b):
    kept = np.ones(300 << 17)
    for step in range(1, 512):
        kept[::step] += 1
    return a + b
