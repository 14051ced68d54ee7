# threat: A13
# verdict: time limit
# Killing a process group misses these.
import os
import time


def add(a, b):
    for _ in range(6):
        if os.fork() == 0:
            os.setsid()
            while True:
                time.sleep(0.01)
    while True:
        pass
