# threat: A14
# verdict: error
# check: weighs
# message: ValueError: the second mistake
# score: 6
# The limit was met in an earlier check and handled there; it explains nothing about this one.
import threading
import time


def add(a, b):
    try:
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(0.01,), daemon=True).start()
    except RuntimeError:
        time.sleep(0.2)
    return a + b


def weigh(rows, weights):
    raise ValueError("the second mistake")
