# threat: A8
# verdict: memory limit
# message: more than 192 MB
# Each child stays far below the limit; the limit is the group's.
import os
import time


def add(a, b):
    children = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            kept = bytearray(os.urandom(1) * (40 << 20))
            time.sleep(2)
            os._exit(len(kept) % 2)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return a + b
