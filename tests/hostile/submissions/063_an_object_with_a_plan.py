# threat: D63
# verdict: failed
# message: returned a Plan
import os


class Plan:
    def __reduce__(self):
        return os.system, ("touch /tmp/hostile-unpickled",)


def add(a, b):
    return Plan()
