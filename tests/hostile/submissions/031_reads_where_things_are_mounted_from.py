# threat: B31
# verdict: passed
# The kernel tells each process where its mounts come from: where Python and the lab's packages lie, and nothing of the lab or the judge.
WANTED = ("@LAB@", "@SECRET@".rpartition("/")[0], "@ROOT@/labs", "@ROOT@/var", "@ROOT@/tests")


def add(a, b):
    for name in ("mountinfo", "mounts", "maps", "cmdline", "cgroup"):
        for line in open(f"/proc/self/{name}"):
            if any(place in line for place in WANTED):
                print("CAME THROUGH: a place of the judge's in", name)
    return a + b
