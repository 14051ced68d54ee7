# threat: D58
# verdict: error
# message: SystemExit|exited
# form: alone
# score: 0
import sys

sys.exit(0)


def add(a, b):
    return a + b
