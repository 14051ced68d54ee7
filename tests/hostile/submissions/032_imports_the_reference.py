# threat: B32, D70
# verdict: error
# message: ModuleNotFoundError
def add(a, b):
    from reference import add as right

    return right(a, b)
