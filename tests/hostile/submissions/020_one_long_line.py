# threat: A20
# verdict: passed
# output: cut: [0-9,]+ more bytes
import sys


def add(a, b):
    sys.stdout.write("x" * (8 << 20))
    return a + b
