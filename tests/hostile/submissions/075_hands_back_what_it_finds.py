# threat: D75
# verdict: failed
# message: a \+ b
# Memory that was freed a moment ago; the right answer never was in it.
import numpy as np


def add(a, b):
    return np.empty_like(a)
