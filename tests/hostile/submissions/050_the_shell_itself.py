# threat: B50
# verdict: rejected
# message: Cell 2 calls get_ipython\(\)
# form: built
from tests.support import notebook_of


def build(honest, notebook):
    return "work.ipynb", notebook_of(honest, "get_ipython().kernel.shell.system('env')")
