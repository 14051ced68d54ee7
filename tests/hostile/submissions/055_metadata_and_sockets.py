# threat: C55
# verdict: passed
import socket

UNIX = (
    "\0@ABSTRACT@",
    "/run/dbus/system_bus_socket",
    "/var/run/docker.sock",
    "/run/systemd/private",
    "\0/tmp/.X11-unix/X0",
)


def add(a, b):
    for address in (("169.254.169.254", 80), ("169.254.170.2", 80)):
        try:
            with socket.create_connection(address, timeout=0.2):
                print("CAME THROUGH:", address)
        except OSError:
            continue
    for path in UNIX:
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(path)
                print("CAME THROUGH:", path)
        except OSError:
            continue
    return a + b
