# threat: A5
# verdict: time limit
# check: follows
# message: of 2.5 s \(wall clock\)
import signal
import time


def follow(start, steps):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue
