# honest: writes to its disk, and tidies only some of it
import os
import tempfile

import numpy as np


def add(a, b):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/sum.npy", a + b)
        result = np.load(f"{folder}/sum.npy")
    with open("notes.txt", "w") as file:
        file.write("kept\n" * 100_000)
    os.makedirs("/tmp/cache/of/mine", exist_ok=True)
    return result
