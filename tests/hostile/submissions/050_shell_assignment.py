# threat: B50
# verdict: rejected
# message: Cell 2 uses a notebook command
# form: built
from tests.support import notebook_of


def build(honest, notebook):
    return "work.ipynb", notebook_of(honest, "found = !env\nprint(found)")
