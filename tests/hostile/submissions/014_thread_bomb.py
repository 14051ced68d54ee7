# threat: A14
# verdict: process limit
# message: Started more than 16 processes or threads
import threading
import time


def add(a, b):
    for _ in range(100_000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return a + b
