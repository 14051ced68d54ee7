# threat: D59
# verdict: error
# message: signal 9|closed its connection
import os


def add(a, b):
    os.kill(os.getpid(), 9)
