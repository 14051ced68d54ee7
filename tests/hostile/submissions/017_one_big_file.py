# threat: A17
# verdict: disk limit
# message: 8 MB
def add(a, b):
    with open("/tmp/hostile-big", "wb") as file:
        for _ in range(100_000):
            file.write(bytes(1 << 20))
    return a + b
