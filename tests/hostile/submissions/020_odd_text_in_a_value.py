# threat: A20
# verdict: failed
# check: follows
def follow(start, steps):
    return "\0 \udfff \u202e \x1b[31m"
