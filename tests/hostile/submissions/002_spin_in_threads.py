# threat: A2
# verdict: time limit
# message: of 1\.5 s \(CPU\)
# Compression lets go of the interpreter's lock, so the threads run side by side.
import threading
import zlib


def burn():
    while True:
        zlib.compress(bytes(1 << 22), 9)


def add(a, b):
    threads = [threading.Thread(target=burn, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    threads[0].join()
    return a + b
