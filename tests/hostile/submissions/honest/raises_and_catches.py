# honest: exceptions are part of how it works
class Mismatch(Exception):
    pass


def checked(a, b):
    if a.shape != b.shape:
        raise Mismatch(f"{a.shape} and {b.shape}")
    return a + b


def add(a, b):
    try:
        checked(a, b[:1])
    except Mismatch as reason:
        print("as expected:", reason)
    try:
        return checked(a, b)
    finally:
        print("done")
