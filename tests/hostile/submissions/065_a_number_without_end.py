# threat: D65
# verdict: failed
# check: follows
# message: expected [0-9]+, got
def follow(start, steps):
    return 10**4000
