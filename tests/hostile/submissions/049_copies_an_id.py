# threat: B49
# verdict: rejected
# message: twice
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    cells[3]["metadata"]["nbgrader"]["grade_id"] = "add"
    return "work.ipynb", json.dumps(content).encode()
