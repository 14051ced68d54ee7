"""Operations that a task bans cost its points, whoever calls them from the student's code and however they are written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from grader.api import grade
from grader.banned import named_operations
from grader.contract import JobSpec, SandboxKind, SubmittedFile, Suite, Verdict
from grader.inside.cells import Cell
from tests.support import ADD, SCALE

RULE = """
[[banned_operations]]
names = [{names}]
tasks = ["1"]
reason = "Write the sum yourself."
"""


@pytest.fixture
def banning(lab_copy: Path, tmp_path: Path, walls: SandboxKind):
    """Grade a source in a lab whose first task bans these operations."""

    def run(source: str, *names: str, packages: str = "numpy"):
        settings = lab_copy / "lab.toml"
        quoted = ", ".join(f'"{name}"' for name in names)
        text = settings.read_text()
        if packages not in text.partition("[limits]")[0]:
            text = f'packages = ["numpy", "{packages}"]\n' + text.replace('"torch", ', "").replace(
                "wall_s = 4.0", "wall_s = 30.0"
            )
        settings.write_text(text + RULE.format(names=quoted))
        path = tmp_path / "work.py"
        path.write_text(source)
        file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
        return grade(JobSpec("j", str(lab_copy), (file,), 1, Suite.FULL, walls, allow_approximate_limits=True))

    return run


HELPER = "import numpy as np\ndef helper(x):\n    return list(map(np.cumsum, [x]))\n"
WAYS = {
    "plainly": "import numpy as np\ndef add(a, b):\n    np.cumsum(a)\n    return a + b\n",
    "by name": "import numpy\nname = 'cum' + 'sum'\ndef add(a, b):\n    getattr(numpy, name)(a)\n    return a + b\n",
    "by import": "def add(a, b):\n    __import__('num' + 'py').cumsum(a)\n    return a + b\n",
    "through a helper": HELPER + "def add(a, b):\n    helper(a)\n    return a + b\n",
    "and hiding the error": HELPER
    + "def add(a, b):\n    try:\n        helper(a)[9]\n    except IndexError:\n        return a + b\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_banned_function_costs_the_points_of_its_task_alone(banning, way):
    report = banning(WAYS[way] + SCALE, "numpy.cumsum")
    first, second = ([c for c in report.checks if c.task == task] for task in ("1", "2"))
    assert {check.verdict for check in first} == {Verdict.REJECTED}
    assert all(check.score == 0 for check in first)
    assert first[0].message.startswith("Calls numpy.cumsum (work.py, line ")
    assert first[0].message.endswith("which task 1 does not allow. Write the sum yourself.")
    assert {check.verdict for check in second} == {Verdict.PASSED}


def test_what_the_driver_or_a_library_calls_is_not_the_students(banning, lab_copy):
    driver = lab_copy / "driver.py"
    driver.write_text(driver.read_text().replace("def add(program", "import numpy\nnumpy.cumsum([1])\ndef add(program"))
    uses_inner = "import numpy as np\ndef add(a, b):\n    np.percentile(a, 50) if a.size else None\n    return a + b\n"
    assert banning(uses_inner + SCALE, "numpy.cumsum").score == 10


def test_a_name_that_nobody_was_seen_to_call_is_for_staff_to_look_at(banning):
    report = banning("import numpy as np\ndef unused(a):\n    return np.cumsum(a)\n" + ADD + SCALE, "numpy.cumsum")
    assert report.score == 10
    assert report.checks[0].staff_note == "The text names numpy.cumsum at work.py, line 3; no call was seen."
    assert not report.for_student(show_hidden=True).checks[0].staff_note


def test_an_operator_of_torch_is_seen_however_it_is_reached(banning, walls):
    if walls is SandboxKind.DOCKER:
        pytest.skip("the runner image for CPU labs holds no torch")
    pytest.importorskip("torch")
    ways = (
        "torch.mm(x, x)",
        "x @ x",
        "getattr(torch, 'mat' + 'mul')(x, x)",
        "torch.ops.aten.mm(x, x)",
        "torch.nn.functional.linear(x, x)",
    )
    source = "import torch\ndef add(a, b):\n    x = torch.ones(2, 2)\n    {}\n    return a + b\n"
    for way in ways:
        report = banning(source.format(way) + SCALE, "aten::mm", packages="torch")
        assert report.checks[0].message.startswith("Calls aten::mm (work.py, line 4)"), way
    assert banning(source.format("x + x") + SCALE, "aten::mm", packages="torch").score == 10


def test_names_are_found_through_aliases_and_getattr():
    cells = [
        Cell("cell 1", "import numpy as np\nfrom numpy import linalg as la\nfrom torch.nn import functional"),
        Cell("cell 2", "np.linalg.inv(x)\nla.solve(a, b)\nfunctional.softmax(x)\ngetattr(np, 'dot')(a, b)"),
        Cell("cell 3", "np.einsum('ij', a)", given=True),
        Cell("cell 4", "this is no Python ("),
    ]
    found = named_operations(cells)
    assert found["numpy.linalg.inv"] == "cell 2, line 1"
    assert found["numpy.linalg.solve"] == "cell 2, line 2"
    assert found["torch.nn.functional.softmax"] == "cell 2, line 3"
    assert found["numpy.dot"] == "cell 2, line 4"
    assert "numpy.einsum" not in found


@pytest.mark.parametrize("depth", [20, 1_500, 2_500])
def test_a_path_of_many_names_is_read_as_far_as_an_operation_can_be_named(depth):
    deep = "x = numpy.linalg" + ".a" * depth
    assert named_operations([Cell("cell 1", f"import numpy\n{deep}")])["numpy.linalg.a"] == "cell 1, line 2"
