# threat: B49
# verdict: passed
# form: built
import json


def build(honest, notebook):
    content = json.loads(notebook)
    cells = content["cells"]
    cells[1]["cell_type"] = "markdown"
    del cells[1]["outputs"], cells[1]["execution_count"]
    return "work.ipynb", json.dumps(content).encode()
