# honest: slow, but within the limit
import time


def add(a, b):
    time.sleep(1)
    return a + b
