# threat: D59, D61
# verdict: error
# message: closed its connection|exited with status
import os


def add(a, b):
    os.closerange(0, 256)
    return a + b
