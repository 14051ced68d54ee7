# threat: A18
# verdict: passed
# output: cut: [0-9,]+ more bytes
# Four megabytes are cut and forgotten; the answer counts.
def add(a, b):
    for _ in range(4):
        print("x" * (1 << 20))
    return a + b
