# threat: B49
# verdict: passed
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    cells[1]["source"] = "OFFSET = 2"
    cells[1]["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    return "work.ipynb", json.dumps(content).encode()
