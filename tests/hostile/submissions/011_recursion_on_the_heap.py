# threat: A11
# verdict: error | memory limit
# From Python 3.11 on, calls from Python to Python take no C stack: what runs out is memory.
import sys


def add(a, b):
    sys.setrecursionlimit(10**9)
    return add(a, b)
