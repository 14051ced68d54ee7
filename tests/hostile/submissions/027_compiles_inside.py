# threat: A27
# verdict: time limit | memory limit
def add(a, b):
    return eval("[" + "0," * 10_000_000 + "]")
