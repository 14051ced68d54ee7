# threat: E82
# verdict: failed
# check: follows
# message: returned a Later
class Later:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __int__(self):
        return honest(*self.arguments)

    __index__ = __int__


honest = follow


def follow(start, steps):
    return Later(start, steps)
