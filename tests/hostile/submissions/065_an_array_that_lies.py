# threat: D65
# verdict: failed
# message: returned a Liar
import numpy as np


class Liar(np.ndarray):
    def __eq__(self, other):
        return True

    def __array__(self, *a, **k):
        return np.ones(3)


def add(a, b):
    return (a * 0).view(Liar)
