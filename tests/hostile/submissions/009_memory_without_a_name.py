# threat: A9
# verdict: memory limit
# message: more than 192 MB
import os


def add(a, b):
    for number in range(60):
        os.write(os.memfd_create(f"hostile-{number}"), b"x" * (6 << 20))
    return a + b
