# threat: D71
# verdict: rejected
# message: Calls numpy.einsum \(cell 2, line 9\)
# score: 8
import numpy as np


def add(a, b):
    return np.einsum("ij->ij", a) + b
