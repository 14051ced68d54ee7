# threat: A29
# verdict: passed
import os
import socket
import syslog

LOGS = ("/dev/log", "/run/systemd/journal/socket", "/run/systemd/journal/dev-log", "/dev/kmsg")


def add(a, b):
    syslog.syslog("hostile")
    for path in LOGS:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            try:
                with socket.socket(socket.AF_UNIX, kind) as log:
                    log.connect(path)
                    print("CAME THROUGH: connected to", path)
            except OSError:
                continue
        if os.access(path, os.W_OK):
            print("CAME THROUGH: may write to", path)
    return a + b
