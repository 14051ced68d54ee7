# honest: as every course tells them to
import os
import random

import numpy as np

random.seed(0)
np.random.seed(0)
os.environ["PYTHONHASHSEED"] = "0"
rng = np.random.default_rng(0)


def add(a, b):
    noise = rng.normal(size=a.shape) + np.random.normal(size=a.shape)
    return a + b + noise - noise if random.random() > 2 else a + b
