# threat: B37
# verdict: passed
import os

HARMLESS = set("null zero full random urandom tty console core fd stdin stdout stderr ptmx pts shm mqueue".split())


def add(a, b):
    for path in (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
    ):
        if os.path.exists(path):
            print("CAME THROUGH:", path)
    for name in set(os.listdir("/dev")) - HARMLESS:
        print("CAME THROUGH: /dev/" + name)
    for kind, device in ((0o060600, (254, 0)), (0o020600, (1, 1))):
        try:
            os.mknod("/tmp/hostile-device", kind, os.makedev(*device))
            print("CAME THROUGH: made a device")
        except OSError:
            continue
    return a + b
