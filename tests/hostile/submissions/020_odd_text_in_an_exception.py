# threat: A20
# verdict: error
# message: ValueError
# Half of a surrogate pair is text to Python, and neither UTF-8 nor what a database takes.
def add(a, b):
    raise ValueError("\0 \ud800 \u202e \x1b[31m")
