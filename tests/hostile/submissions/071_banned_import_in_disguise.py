# threat: D71
# verdict: error
# message: ModuleNotFoundError
# The text rule does not see it; in the sandbox the module is not there.
import builtins


def add(a, b):
    torch = getattr(builtins, "__imp" + "ort__")("tor" + "ch")
    return getattr(torch, "a" + "dd")(a, b)
