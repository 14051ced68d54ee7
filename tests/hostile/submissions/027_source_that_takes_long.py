# threat: A27
# verdict: rejected | time limit | memory limit
# form: built
# score: 0
# Python 3.11 needs time with the square of the fields in one f-string.
def build(honest, notebook):
    return "work.py", f"{honest}\n\ntext = f'{'{OFFSET}' * 40_000}'\n".encode()
