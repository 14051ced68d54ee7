# threat: D74
# verdict: failed
# message: the first argument after the call: largest error
def add(a, b):
    a += b
    return a.copy()
