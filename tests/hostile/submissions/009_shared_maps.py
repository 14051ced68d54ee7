# threat: A9
# verdict: memory limit
# message: more than 192 MB
import mmap


def add(a, b):
    kept = [mmap.mmap(-1, 16 << 20) for _ in range(40)]
    for one in kept:
        one.write(b"x" * (16 << 20))
    return a + b
