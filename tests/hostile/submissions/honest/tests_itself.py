# honest: asserts and a doctest left in the notebook
import doctest


def add(a, b):
    """The sum.

    >>> add(1, 2)
    3
    """
    return a + b


assert add(1, 2) == 3
print(doctest.run_docstring_examples(add, {"add": add}))
print("4 passed in 0.01s")
