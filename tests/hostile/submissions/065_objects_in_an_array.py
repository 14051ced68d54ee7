# threat: D65
# verdict: failed
# message: dtype object
def add(a, b):
    return (a + b).astype(object)
