# honest: a script with warnings, at compile time and when it runs
# form: built
TEXT = r"""
import sys
import warnings

PATTERN = "\d+ is no escape"
ODD = 1 is 1


def add(a, b):
    "Uses \s in its text."
    warnings.warn("slow path", DeprecationWarning)
    print("careful", file=sys.stderr)
    np.log(np.zeros(1))
    return a + b
"""


def build(honest, notebook):
    return "work.py", (honest + TEXT).encode()
