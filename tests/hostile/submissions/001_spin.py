# threat: A1
# verdict: time limit
# message: of 1\.5 s \(CPU\)
def add(a, b):
    while True:
        pass
