"""The assignment as a Gradlab lab folder, written from the same source as the other systems' files."""

from __future__ import annotations

from pathlib import Path

import nbformat

from . import assignment, notebooks
from .assignment import CHECKS, MAX_SCORE, POINTS, Check, Variant

PACKAGES = {Variant.PLAIN: '"numpy"', Variant.TORCH: '"numpy", "torch"'}
FUTURE = "from __future__ import annotations"


def write_lab(folder: Path, variant: Variant) -> Path:
    """Write the lab and return its folder."""
    (folder / "checks" / "hidden").mkdir(parents=True, exist_ok=True)
    nbformat.write(notebooks.lab_source(variant), folder / "notebook.ipynb")
    texts = {
        "lab.toml": _settings(variant),
        "handout.md": f"{assignment.INTRODUCTION}\n",
        "driver.py": _driver(),
        "checks/test_scalar.py": _checks(variant, hidden=False),
        "checks/hidden/test_scalar_hidden.py": _checks(variant, hidden=True),
    }
    if variant is Variant.TORCH:
        texts["checks/reference.py"] = f"{FUTURE}\n\nimport torch\n\n\n{assignment.BY_TORCH}\n"
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _settings(variant: Variant) -> str:
    return f"""\
slug = "bench-scalar-{variant}"
title = "Numbers that know their slopes"
packages = [{PACKAGES[variant]}]

[[tasks]]
id = "1"
title = "Scalar"
points = {MAX_SCORE}
"""


def _driver() -> str:
    functions = "".join(_observer(check) for check in CHECKS)
    return (
        f'"""Asks the student\'s Scalar."""\n\n{FUTURE}\n\nimport numpy as np\n\n\n{assignment.OBSERVED}\n{functions}'
    )


def _observer(check: Check) -> str:
    return f"""

def {check.name}(program):
    Scalar = program.Scalar
    return np.array({assignment.got(check)})
"""


def _checks(variant: Variant, *, hidden: bool) -> str:
    reference = "from reference import by_torch\n" if variant is Variant.TORCH else ""
    checks = "".join(_check(check, variant) for check in CHECKS if check.hidden is hidden)
    return f'{FUTURE}\n\nimport math\n\nimport numpy as np\nimport pytest\n{reference}\npytestmark = pytest.mark.task("1")\n{checks}'


def _check(check: Check, variant: Variant) -> str:
    hidden = "@pytest.mark.hidden\n" if check.hidden else ""
    return f'''

{hidden}@pytest.mark.points({POINTS})
def test_{check.name}(student, expect):
    """{check.title}"""
    want = np.array({assignment.want(check, variant)})
    expect.close(student.call("{check.name}"), want, rtol=0.0, atol={assignment.TOLERANCE})
'''
