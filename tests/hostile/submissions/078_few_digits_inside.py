# threat: D78
# verdict: failed
# check: weighs_what_cancels
# message: largest error
import numpy as np


def weigh(rows, weights):
    total = np.zeros(len(rows), np.float32)
    for column, weight in zip(rows.T, weights):
        total += column * weight
    return total
