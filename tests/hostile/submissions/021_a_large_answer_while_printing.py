# threat: A21
# verdict: failed
# message: expected float64
# output: cut: [0-9,]+ more bytes
# Both pipes are full at once: whoever reads them one after the other waits for ever.
import sys
import threading

import numpy as np


def add(a, b):
    threading.Thread(target=sys.stderr.write, args=("x" * (2 << 20),), daemon=True).start()
    print("x" * (1 << 20))
    return np.zeros(1 << 20)
