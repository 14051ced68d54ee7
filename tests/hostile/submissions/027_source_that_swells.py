# threat: A27
# verdict: rejected | time limit | memory limit
# form: built
# score: 0
# Two megabytes of source become a gigabyte while they are compiled: that may be anywhere but in the judge.
def build(honest, notebook):
    return "work.py", f"{honest}\n\nnumbers = [{'0,' * 1_000_000}]\n".encode()
