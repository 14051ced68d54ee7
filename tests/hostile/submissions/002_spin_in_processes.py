# threat: A2
# verdict: time limit
# message: of 1\.5 s \(CPU\)
# The parent only waits; what its children burn counts.
import os


def add(a, b):
    for _ in range(3):
        if os.fork() == 0:
            while True:
                pass
    os.wait()
    return a + b
