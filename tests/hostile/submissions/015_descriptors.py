# threat: A15
# verdict: error
# message: Too many open files
def add(a, b):
    kept = []
    while True:
        kept.append(open("/dev/null"))
