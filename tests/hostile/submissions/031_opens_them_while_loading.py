# threat: B31
# verdict: error
# message: FileNotFoundError
# form: alone
# score: 0
# The first line fails, so nothing is defined; no word of the file gets out.
hidden = open("/lab/checks/hidden/test_hidden.py").read()


def add(a, b):
    return a + b
