# threat: D74
# verdict: failed
# message: a \+ b: largest error
def add(a, b):
    a[:] = 0
    b[:] = 0
    return a + b
