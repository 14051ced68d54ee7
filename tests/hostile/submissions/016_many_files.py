# threat: A16
# verdict: disk limit
def add(a, b):
    for number in range(1_000_000):
        open(f"/tmp/hostile-{number}", "w").close()
    return a + b
