# threat: D65
# verdict: failed
# message: returned a generator
def add(a, b):
    return (row for row in a + b)
