# honest: the plain solution, and the ground that the other submissions stand on
import numpy as np

OFFSET = 1


def add(a, b):
    return a + b


def weigh(rows, weights):
    return (rows.astype(np.float64) @ weights.astype(np.float64)).astype(np.float32)


def follow(start, steps):
    x = start
    for _ in range(steps):
        x = (x * x + OFFSET) % 2147483647
    return x
