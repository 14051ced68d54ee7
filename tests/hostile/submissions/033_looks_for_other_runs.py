# threat: B33, B35
# verdict: passed
# Only the sandbox's init and this process are there.
import os


def add(a, b):
    family = {1, os.getpid(), os.getppid()}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if pid not in family:
            print("CAME THROUGH: sees process", pid, open(f"/proc/{pid}/cmdline").read().replace("\0", " "))
    for pid in (int("@JUDGE@"), *range(2, 400)):
        try:
            os.kill(pid, 0)
        except OSError:
            continue
        if pid not in family:
            print("CAME THROUGH: may signal process", pid)
    return a + b
