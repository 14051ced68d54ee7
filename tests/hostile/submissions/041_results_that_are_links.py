# threat: B41
# verdict: passed
# No file of a run is ever read by the judge, so there is nothing to follow.
import os


def add(a, b):
    for name in ("result.json", "results.json", "output", "report.json", "stdout", "answer.npy"):
        os.symlink("/etc/shadow", f"/tmp/hostile-{name}")
        os.symlink("/dev/urandom", f"/dev/shm/hostile-{name}")
        os.mkfifo(f"/tmp/hostile-{name}.fifo")
    os.makedirs("/tmp/hostile-folder/results.json")
    for path in ("/etc/shadow", "/dev/mem"):
        try:
            os.link(path, "/tmp/hostile-hard")
            print("CAME THROUGH: linked", path)
        except OSError:
            continue
    return a + b
