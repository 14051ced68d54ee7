# threat: A3, A4
# verdict: time limit
# check: follows
# message: of 2\.5 s \(wall clock\)
# No call is late; the check, of several calls, is. With hundreds of calls that would hold a worker for hours.
import time

_follow = follow


def follow(start, steps):
    time.sleep(1)
    return _follow(start, steps)
