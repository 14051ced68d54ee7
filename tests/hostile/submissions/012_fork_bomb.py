# threat: A12
# verdict: process limit | time limit
import os


def add(a, b):
    while True:
        os.fork()
