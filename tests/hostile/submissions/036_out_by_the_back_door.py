# threat: B36
# verdict: passed
# The known ways out of a changed root, and a namespace of one's own.
import ctypes
import os

USER, MOUNT, PID = 0x10000000, 0x20000, 0x20000000
libc = ctypes.CDLL(None, use_errno=True)


def add(a, b):
    for flags in (USER, MOUNT, USER | MOUNT, USER | PID):
        if libc.unshare(flags) == 0:
            print("CAME THROUGH: unshare", hex(flags))
    for kind in ("mnt", "pid", "net", "user"):
        try:
            handle = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
        except OSError:
            continue
        if libc.setns(handle, 0) == 0:
            print("CAME THROUGH: joined", kind)
    for move in (lambda: os.chdir("/proc/1/root/../.."), lambda: os.chroot("/tmp"), lambda: os.fchdir(3)):
        try:
            move()
        except OSError:
            continue
        if os.path.exists(".@LAB@") or os.getcwd() != "/":
            print("CAME THROUGH: moved to", os.getcwd())
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
        print("CAME THROUGH: mounted")
    return a + b
