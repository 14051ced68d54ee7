# threat: B42
# verdict: passed
# If the judge wrote, or gave away, what lies in a folder of ours, it would do so to these.
import os


def add(a, b):
    for place in ("/tmp", "/dev/shm"):
        for name in ("run", "run.sh", "script", "stdin", "stdout", "result.json", ".cache", "submission"):
            os.symlink(f"/etc/hostile-{name}", f"{place}/{name}")
            os.symlink("@SECRET@", f"{place}/secret-{name}")
    os.chmod("/tmp", 0o777) if os.stat("/tmp").st_uid == os.getuid() else None
    return a + b
