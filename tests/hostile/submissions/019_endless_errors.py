# threat: A19
# verdict: output limit | time limit
# output: cut: [0-9,]+ more bytes
import os


def add(a, b):
    while True:
        os.write(2, b"and so on" * 1000)
