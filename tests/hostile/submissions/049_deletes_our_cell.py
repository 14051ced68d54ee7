# threat: B49
# verdict: passed
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    del cells[1]
    return "work.ipynb", json.dumps(content).encode()
