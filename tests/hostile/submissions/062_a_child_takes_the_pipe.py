# threat: D62, D61
# verdict: error
# message: exited with status 0|closed its connection
# The process is gone; a child still holds its end of the pipe, so that the judge sees no end of it.
import os
import time


def add(a, b):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    os._exit(0)
