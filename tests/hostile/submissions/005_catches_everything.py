# threat: A5
# verdict: time limit
# message: of 1\.5 s \(CPU\)
import signal


def refuse(number, frame):
    raise KeyboardInterrupt


def add(a, b):
    for number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, refuse)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
