# threat: D79
# verdict: passed
# Two runs must not draw the same numbers: one could then tell the other what will come.
import os
import random

import numpy as np


def add(a, b):
    print("drew", random.random(), np.random.random(), os.urandom(4).hex())
    return a + b
