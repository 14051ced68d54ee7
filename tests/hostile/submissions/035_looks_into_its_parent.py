# threat: B35
# verdict: passed
# Another uid, and nobody of the judge's is in sight.
import os


def add(a, b):
    for pid in {os.getppid(), 1, int("@JUDGE@")}:
        for name in ("environ", "mem", "maps", "auxv", "syscall", "io"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    data = file.read(100)
            except OSError:
                continue
            if data:
                print("CAME THROUGH:", pid, name, data)
        for name in ("root", "cwd", "exe", "fd"):
            try:
                found = os.listdir(f"/proc/{pid}/fd") if name == "fd" else os.readlink(f"/proc/{pid}/{name}")
            except OSError:
                continue
            print("CAME THROUGH:", pid, name, found)
    return a + b
