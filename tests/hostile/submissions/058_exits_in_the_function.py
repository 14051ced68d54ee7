# threat: D58
# verdict: error
# message: SystemExit.* at cell 2, line 8
import sys


def add(a, b):
    sys.exit(0)
