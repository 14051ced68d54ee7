# threat: B50
# verdict: error
# message: NameError|KeyError
def add(a, b):
    return globals()["get_" + "ipython"]().system("env")
