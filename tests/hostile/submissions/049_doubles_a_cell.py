# threat: B49
# verdict: rejected
# message: The cell add is in your notebook twice
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    cells.append(dict(cells[2], id="again"))
    return "work.ipynb", json.dumps(content).encode()
