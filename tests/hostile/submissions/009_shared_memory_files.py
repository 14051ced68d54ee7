# threat: A9
# verdict: memory limit | disk limit
def add(a, b):
    for number in range(500):
        for place in ("/dev/shm", "/tmp"):
            with open(f"{place}/hostile-{number}", "wb") as file:
                file.write(bytes(1 << 20))
    return a + b
