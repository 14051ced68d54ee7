# threat: A21
# verdict: time limit | memory limit
# The answer is an iterator that has always one more.
class Endless(dict):
    def items(self):
        while True:
            yield "x", 1


def add(a, b):
    return Endless(x=1)
