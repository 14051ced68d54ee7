# threat: D65
# verdict: failed
# message: returned a ndarray|returned a Disguised
import numpy as np


class Disguised:
    __class__ = np.ndarray
    dtype, shape = np.dtype("float64"), (4, 3)

    def tobytes(self):
        return bytes(96)


def add(a, b):
    return Disguised()
