# threat: A11
# verdict: error
# message: RecursionError
def add(a, b):
    return add(a, b)
