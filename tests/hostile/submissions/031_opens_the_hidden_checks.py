# threat: B31
# verdict: passed
# The places where the judge really keeps them, and the usual guesses.
PLACES = [
    "@LAB@/checks/hidden/test_hidden.py",
    "@LAB@/notebook.ipynb",
    "@ROOT@/tests/hostile/lab/checks/hidden/test_hidden.py",
    "@SECRET@",
    "/lab/checks/hidden/test_hidden.py",
    "../checks/hidden/test_hidden.py",
    "/proc/1/cwd/checks/hidden/test_hidden.py",
    "/proc/1/root@LAB@/checks/hidden/test_hidden.py",
]


def add(a, b):
    for place in PLACES:
        try:
            print("CAME THROUGH:", open(place).read())
        except OSError:
            continue
    return a + b
