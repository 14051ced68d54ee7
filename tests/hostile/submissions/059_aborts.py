# threat: D59
# verdict: error
# message: signal 6
import os


def add(a, b):
    os.abort()
