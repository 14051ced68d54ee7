# threat: A17
# verdict: disk limit
# message: 8 MB
def add(a, b):
    for number in range(100_000):
        with open(f"/tmp/hostile-{number}", "wb") as file:
            file.write(bytes(1 << 20))
    return a + b
