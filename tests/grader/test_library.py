"""A lab's driver may import modules of the course library that the lab lists: behind every wall, and on a student's machine."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

from grader.api import grade
from grader.cli import main
from grader.contract import JobSpec, SandboxKind, SubmittedFile, Suite, Verdict
from grader.lab import Lab, LabError
from tests.support import plain_environment, require

if find_spec("triton") is None or find_spec("torch") is None:
    require("triton", "torch or triton is not installed (make setup installs both)")

DRIVER = """
import os
os.environ.setdefault("TRITON_INTERPRET", "1")

def metered(program, x, y):
    import torch
    from mlsys_core.kernels.meter import Meter

    with Meter() as meter:
        out = program.add(torch.from_numpy(x), torch.from_numpy(y))
    return {"out": out.numpy(), "report": meter.report()}
"""
CHECK = """
import pytest
from mlsys_core.kernels.meter import bytes_floor


@pytest.mark.task("1")
@pytest.mark.points(10)
@pytest.mark.measured
def test_traffic(student, rng, expect, measure):
    x, y = rng.normal(size=(2, 1000)).astype("float32")
    said = student.call("metered", x=x, y=y)
    expect.close(said["out"], x + y)
    expect.that(not said["report"]["findings"], "; ".join(one["text"] for one in said["report"]["findings"]))
    expect.that(not bytes_floor([x, y], [x]).problem(said["report"]), "less than there is to read")
    measure.ratio("bytes loaded", said["report"]["loaded"] / 8000, full_at=1.05, zero_at=3.0)
"""
LAB = """
slug = "traffic"
title = "Traffic"
packages = ["numpy", "torch", "triton"]
library = ["mlsys_core.kernels.shadow", "mlsys_core.kernels.meter"]
[limits]
wall_s = 30.0
load_s = 60.0
memory_mb = 2048
[[tasks]]
id = "1"
title = "Add"
points = 10
"""
SOLUTION = """
import torch
import triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = tl.load(x_ptr + at, mask=at < n), tl.load(y_ptr + at, mask=at < n)
    tl.store(out_ptr + at, x + y, mask=at < n)

def add(x, y):
    out = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 128),)](x, y, out, x.numel(), BLOCK=128)
    return out
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab of one kernel, whose traffic is measured."""
    folder = tmp_path / "traffic"
    (folder / "checks").mkdir(parents=True)
    for name, text in {
        "lab.toml": LAB,
        "driver.py": DRIVER,
        "handout.md": "# Traffic\n",
        "checks/test_it.py": CHECK,
    }.items():
        (folder / name).write_text(text)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SOLUTION)]), str(folder / "notebook.ipynb")
    )
    return folder


def only_check(lab: Path, source: str, sandbox: SandboxKind):
    path = lab.parent / "work.py"
    path.write_text(source)
    file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    report = grade(JobSpec("j", str(lab), (file,), 3, Suite.FULL, sandbox, allow_approximate_limits=True))
    assert report.checks, report.message
    (check,) = report.checks
    return check


@pytest.mark.sandbox
@pytest.mark.parametrize("sandbox", [SandboxKind.TRUSTED, SandboxKind.BUBBLEWRAP])
def test_a_kernel_is_metered_inside(lab, sandbox):
    check = only_check(lab, SOLUTION, sandbox)
    assert (check.verdict, check.score) == (Verdict.PASSED, 10), check.message
    assert check.measurement.value == 1.0


def test_what_is_found_is_told_by_the_students_own_line(lab):
    check = only_check(
        lab,
        SOLUTION.replace("tl.load(y_ptr + at, mask=at < n)", "tl.load(y_ptr + at, mask=at <= n)"),
        SandboxKind.TRUSTED,
    )
    assert check.verdict is Verdict.FAILED
    assert "line 9: program (7, 0, 0) of kernel loads element 1000 of y_ptr" in check.message


def test_traffic_costs_points_by_the_curve(lab):
    twice = SOLUTION.replace("    tl.store(", "    x += tl.load(x_ptr + at, mask=at < n) * 0\n    tl.store(")
    check = only_check(lab, twice, SandboxKind.TRUSTED)
    assert check.measurement.value == 1.5
    assert 0 < check.score < 10


def test_the_release_brings_the_modules_and_nothing_else_of_the_library(lab, tmp_path):
    out = tmp_path / "release"
    assert main(["release", str(lab), str(out)]) == 0
    released = sorted(path.relative_to(out).as_posix() for path in out.glob("mlsys_core/**/*") if path.is_file())
    assert released == [
        "mlsys_core/__init__.py",
        "mlsys_core/kernels/__init__.py",
        "mlsys_core/kernels/meter.py",
        "mlsys_core/kernels/shadow.py",
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pytest"],
        cwd=out,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_lab_whose_library_changed_is_another_version(lab, monkeypatch, tmp_path):
    before = Lab(lab).version
    copied = shutil.copytree(Path("mlsys_core"), tmp_path / "mlsys_core")
    monkeypatch.setattr("grader.lab.MLSYS_CORE", copied)
    assert Lab(lab).version == before
    with (copied / "kernels" / "meter.py").open("a") as file:
        file.write("# another\n")
    assert Lab(lab).version != before


@pytest.mark.parametrize("name", ["mlsys_core.kernels.none", "mlsys_core", "os.path", "mlsys_core.kernels"])
def test_a_library_that_is_none_is_named(lab, name):
    (lab / "lab.toml").write_text(LAB.replace("mlsys_core.kernels.meter", name))
    with pytest.raises(LabError, match=f"traffic/lab.toml: library names {name}"):
        _ = Lab(lab).library


PARTED = {
    "lab.toml": LAB.replace(
        'library = ["mlsys_core.kernels.shadow", "mlsys_core.kernels.meter"]', 'library = ["driver_parts"]'
    ).replace(', "torch", "triton"', ""),
    "driver.py": "from driver_parts import doubled\n\n__all__ = ['doubled']\n",
    "driver_parts.py": "def doubled(program, *, x):\n    return program.double(x)\n",
    "checks/words.txt": "three",
    "checks/test_it.py": """
from pathlib import Path

import pytest


@pytest.mark.task("1")
@pytest.mark.points(10)
def test_words(student, expect):
    word = Path(__file__).with_name("words.txt").read_text()
    expect.equal(student.call("doubled", x=word), word * 2)
""",
}
DOUBLE = "def double(x):\n    return x + x\n"


@pytest.fixture
def parted(lab: Path) -> Path:
    """A lab whose driver has a part beside it, and whose check reads a text."""
    for name, text in PARTED.items():
        (lab / name).write_text(text)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DOUBLE)]), str(lab / "notebook.ipynb"))
    return lab


def test_a_driver_may_have_parts_beside_it(parted):
    assert only_check(parted, DOUBLE, SandboxKind.TRUSTED).score == 10
    before = Lab(parted).version
    (parted / "driver_parts.py").write_text(PARTED["driver_parts.py"] + "# another\n")
    assert Lab(parted).version != before


def test_the_release_brings_the_parts_and_the_texts_of_checks(parted, tmp_path):
    out = tmp_path / "release"
    assert main(["release", str(parted), str(out)]) == 0
    assert (out / "driver_parts.py").read_text() == PARTED["driver_parts.py"]
    assert (out / "checks/words.txt").read_text() == "three"
    command = [sys.executable, "-I", "-m", "pytest"]
    done = subprocess.run(command, cwd=out, env=plain_environment(), capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["driver_none", "driver", "notebook"])
def test_a_part_that_is_none_is_named(parted, name):
    (parted / "lab.toml").write_text(PARTED["lab.toml"].replace("driver_parts", name))
    with pytest.raises(LabError, match=f"library names {name}"):
        _ = Lab(parted).library
