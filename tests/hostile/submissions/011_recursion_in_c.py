# threat: A11
# verdict: error
# message: signal 11
# Each level takes a piece of the C stack.
import sys


def add(a, b):
    sys.setrecursionlimit(10**9)
    return list(map(add, [a], [b]))
