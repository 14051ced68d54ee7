# threat: A27
# verdict: rejected | time limit | memory limit
# form: built
# score: 0
# The same in a notebook.
import json


def build(honest, notebook):
    content = json.loads(notebook)
    source = "".join(content["cells"][2]["source"])
    content["cells"][2]["source"] = f"{source}\n\nnumbers = [{'0,' * 1_000_000}]\n"
    return "work.ipynb", json.dumps(content).encode()
