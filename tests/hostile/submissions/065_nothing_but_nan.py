# threat: D65
# verdict: failed
# message: 12 values that are not finite
def add(a, b):
    return (a + b) * float("nan")
