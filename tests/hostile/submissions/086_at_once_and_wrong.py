# threat: E86
# verdict: failed
# check: follows
# message: the number after the last step
def follow(start, steps):
    return start
