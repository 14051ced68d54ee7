# threat: A4, B50
# verdict: error
# message: EOFError
def add(a, b):
    return float(input("how much? "))
