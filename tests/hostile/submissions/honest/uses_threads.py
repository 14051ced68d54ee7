# honest: a pool of threads, within the limit
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def add(a, b):
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda pair: pair[0] + pair[1], zip(a, b)))
    return np.array(rows)
