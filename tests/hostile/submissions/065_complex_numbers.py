# threat: D65
# verdict: failed
# message: returned complex128 \(4, 3\), expected float64 \(4, 3\)
def add(a, b):
    return a + b + 0j
