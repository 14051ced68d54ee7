# threat: A28
# verdict: passed
# Cells run in the sandbox of each task: what the first one left, the second would find.
import os

CACHES = [
    f"{home}/{name}" for home in ("/tmp", "/dev/shm", "/var/tmp") for name in (".cache/hostile", ".triton/hostile")
]
CACHES += [f"{os.path.dirname(os.__file__)}/hostile-{os.getpid()}.py", "/gradlab/packages/numpy/hostile.py"]
for path in CACHES:
    if os.path.exists(path):
        print("CAME THROUGH: found", path)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
    except OSError:
        continue
