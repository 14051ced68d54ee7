# threat: D77, E86
# verdict: failed
# check: follows
# message: the number after the last step
calls = []
honest = follow


def follow(start, steps):
    calls.append(start)
    return honest(start, steps) if len(calls) < 4 else start
