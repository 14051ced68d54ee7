# threat: D71
# verdict: rejected
# message: Calls numpy.einsum \(cell 2, line 10\)
# score: 8
# No text rule sees it; who watches the calls does.
import numpy as np


def add(a, b):
    return vars(np)["ein" + "sum"]("ij->ij", a) + b
