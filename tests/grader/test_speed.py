"""Speed is graded on honest work and holds everything else: wrong, replayed, late, hidden, and clocks that lie."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from grader.api import grade
from grader.contract import JobSpec, SandboxKind, SubmittedFile, Suite, Verdict

pytest.importorskip("torch")
pytestmark = pytest.mark.sandbox

DRIVER = """
def timed_square(program, seed, audit, sizes):
    n = sizes["n"]
    return timing.timed(program.square, timing.draw(seed, [[n, n]], "float32", "cpu"), seed, audit=audit)


def project_square(program, seed, salt):
    return timing.project(seed, salt)
"""
CHECK = """
import pytest
from grader.checks.timing import SpeedTrial, TimedDriver


@pytest.mark.task("1")
@pytest.mark.points(10)
@pytest.mark.measured
def test_speed(student, reference, rng, measure):
    ours, theirs = (TimedDriver(program, "square", {"n": 1000}) for program in (student, reference))
    trial = SpeedTrial(ours, theirs, rng, floor_ms=FLOOR, rtol=1e-4, on_gpu=False)
    found = trial.run(rounds=9)
    assert FLOOR < theirs.median_ms(rng) < 1000.0
    measure.ratio("time against the instructor's", found.ratio, full_at=2.0, zero_at=8.0, low=found.low, high=found.high, samples=9)
"""
LAB = """
slug = "speed"
title = "Speed"
packages = ["numpy", "torch"]
[limits]
wall_s = 20.0
load_s = 60.0
memory_mb = 2048
[[tasks]]
id = "1"
title = "Square"
points = 10
"""
LATER = """
import threading, time
def square(x):
    out = torch.empty_like(x)
    def work():
        time.sleep(0.05)
        torch.mm(x, x, out=out)
    threading.Thread(target=work).start()
    return out
"""
HONEST = "import torch\ndef square(x):\n    return x @ x\n"


@pytest.fixture
def speed_lab(tmp_path: Path, grade_source) -> Path:
    """A lab of one measured check on a matrix product."""
    import nbformat

    lab = tmp_path / "speed"
    (lab / "checks").mkdir(parents=True)
    (lab / "lab.toml").write_text(LAB)
    (lab / "driver.py").write_text(DRIVER)
    (lab / "handout.md").write_text("# Speed\n")
    (lab / "checks" / "test_speed.py").write_text(CHECK.replace("FLOOR", "0.01"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(HONEST)])
    nbformat.write(notebook, lab / "notebook.ipynb")
    return lab


@pytest.fixture
def timed_check(speed_lab: Path, tmp_path: Path):
    """The only check of a submission, graded behind bubblewrap."""

    def run(source: str):
        path = tmp_path / "work.py"
        path.write_text(source)
        file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
        spec = JobSpec(
            "j", str(speed_lab), (file,), 3, Suite.FULL, SandboxKind.BUBBLEWRAP, allow_approximate_limits=True
        )
        report = grade(spec)
        assert report.checks, report.message
        return report.checks[0]

    return run


def test_the_same_work_gets_every_point(timed_check):
    check = timed_check(HONEST)
    assert (check.verdict, check.score) == (Verdict.PASSED, 10), check.message
    assert 0.6 < check.measurement.value < 1.6


def test_slower_work_gets_what_the_curve_gives(timed_check):
    check = timed_check("def square(x):\n    return sum(x @ x for _ in range(4)) / 4\n")
    assert check.verdict is Verdict.PASSED
    assert 0 < check.score < 10
    assert check.measurement.value > 2.5


@pytest.mark.parametrize(
    ("name", "source", "verdict"),
    [
        ("wrong", "def square(x):\n    return x @ x + 0.1 * x\n", Verdict.FAILED),
        ("replayed", "kept = []\ndef square(x):\n    kept or kept.append(x @ x)\n    return kept[0]\n", Verdict.FAILED),
        (
            "replayed by place",
            "kept = {}\ndef square(x):\n    return kept.setdefault(x.data_ptr(), x @ x)\n",
            Verdict.PASSED,
        ),
        ("changes its input", "def square(x):\n    y = x @ x\n    x.zero_()\n    return y\n", Verdict.FAILED),
        (
            "a clock that stands",
            "import time\ntime.perf_counter_ns = lambda: 7\ndef square(x):\n    return x @ x\n",
            Verdict.TAMPERED,
        ),
        (
            "a slow clock",
            "import time\nreal = time.perf_counter_ns\ntime.perf_counter_ns = lambda: real() // 20\ndef square(x):\n    return x @ x\n",
            Verdict.TAMPERED,
        ),
        (
            "late work",
            "import torch\nclass Late(torch.Tensor):\n    pass\ndef square(x):\n    return x.as_subclass(Late)\n",
            Verdict.ERROR,
        ),
        (
            "a thread that finishes later",
            LATER,
            None,
        ),
    ],
)
def test_what_is_no_honest_speed_gains_nothing(timed_check, name, source, verdict):
    check = timed_check("import torch\n" + source)
    if verdict is None:
        assert check.verdict in {Verdict.TAMPERED, Verdict.FAILED}
    else:
        assert check.verdict is verdict, check.message
    if verdict is not Verdict.PASSED:
        assert check.score == 0
    if check.verdict is Verdict.TAMPERED:
        assert check.message == "This check could not be scored; course staff will look at it."
        assert "ms" in check.staff_note or "behind the clock" in check.staff_note


def test_what_beats_the_floor_is_held(timed_check, speed_lab):
    check = speed_lab / "checks" / "test_speed.py"
    check.write_text(check.read_text().replace("0.01", "1000.0"))
    held = timed_check(HONEST)
    assert held.verdict is Verdict.TAMPERED
    assert "below the hardware's floor of 1000.0000 ms" in held.staff_note
