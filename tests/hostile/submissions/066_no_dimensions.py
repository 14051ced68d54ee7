# threat: D66
# verdict: failed
# message: returned float64 \(\), expected float64 \(4, 3\)
def add(a, b):
    return (a + b).sum()
