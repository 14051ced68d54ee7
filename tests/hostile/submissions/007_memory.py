# threat: A7
# verdict: memory limit
# message: more than 192 MB
def add(a, b):
    return [bytearray(1 << 26) for _ in range(999)]
