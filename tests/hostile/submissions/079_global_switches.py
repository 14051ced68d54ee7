# threat: D79
# verdict: passed
# Each task has a process of its own: what the first one sets, the second does not find.
import decimal
import gc
import locale
import random
import sys
import warnings

import numpy as np

if (
    np.geterr()["over"] != "warn"
    or sys.getrecursionlimit() != 1000
    or decimal.getcontext().prec != 28
    or not gc.isenabled()
):
    print("CAME THROUGH: switches of an earlier task")


def add(a, b):
    np.seterr(all="raise")
    np.set_printoptions(precision=1)
    random.seed(0)
    np.random.seed(0)
    random.random = np.random.normal = lambda *a, **k: 0.0
    sys.setrecursionlimit(5000)
    sys.settrace(lambda *a: None)
    sys.setswitchinterval(1)
    decimal.getcontext().prec = 3
    warnings.simplefilter("error")
    gc.disable()
    locale.setlocale(locale.LC_ALL, "C")
    return a + b
