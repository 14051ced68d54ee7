# honest: children that end before the answer comes
import multiprocessing

import numpy as np


def total(pair):
    return pair[0] + pair[1]


def add(a, b):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        return np.array(pool.map(total, list(zip(a, b))))
