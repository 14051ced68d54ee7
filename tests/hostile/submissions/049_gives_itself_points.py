# threat: B49
# verdict: failed
# What a notebook says of its own points is not read.
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    cells[2]["source"] = "def add(a, b):\n    return a - b"
    cells[2]["metadata"]["nbgrader"] |= {"points": 1000, "grade": True}
    content["metadata"]["gradlab"] = {"score": 1000}
    return "work.ipynb", json.dumps(content).encode()
