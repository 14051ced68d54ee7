# threat: B36
# verdict: error
# message: PermissionError
import os


def add(a, b):
    os.chroot("/proc/1/root")
    return a + b
