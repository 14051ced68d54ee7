# threat: B34
# verdict: passed
import os

HARMLESS = {"PATH", "HOME", "LANG", "HOSTNAME", "LC_CTYPE", "PWD", "SHLVL", "_", "PYTHONHASHSEED", "TRITON_INTERPRET"}
HARMLESS |= {f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB")}


def add(a, b):
    print(dict(os.environ))
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            print(open(f"/proc/{pid}/environ").read().replace("\0", " "))
        except OSError:
            continue
    for name in set(os.environ) - HARMLESS:
        print("CAME THROUGH:", name)
    return a + b
