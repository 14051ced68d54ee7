# threat: D71
# verdict: passed
# Where this interpreter would look without -S: what a rule bans may be installed there for other purposes.
import os
import site
import sys

EXPECTED = {"pip", "setuptools", "pkg_resources", "_distutils_hack", "wheel", "__pycache__"}
PLACES = {*site.getsitepackages(), *site.getsitepackages([sys.base_prefix, "/usr", "/usr/local"])}
PLACES |= {"/usr/lib/python3/dist-packages"}


def add(a, b):
    for place in PLACES:
        names = os.listdir(place) if os.path.isdir(place) else []
        found = {name for name in names if os.path.isdir(f"{place}/{name}") and name.isidentifier()} - EXPECTED
        if found:
            print("CAME THROUGH:", place, "has", len(found), "packages, such as", sorted(found)[-1])
    return a + b
