# threat: A6
# verdict: time limit
# message: of 1\.5 s \(CPU\)
# One call that does not come back to the interpreter: no handler of this process could end it.
import re


def add(a, b):
    return re.match(r"(x+x+)+y", "x" * 60)
