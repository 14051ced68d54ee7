# threat: A3
# verdict: time limit
# check: follows
# message: of 2.5 s \(wall clock\)
# output: it ends at
# A right line on the screen is no answer.
import time

honest = follow


def follow(start, steps):
    print("it ends at", honest(start, steps), flush=True)
    time.sleep(1e9)
