"""The judge on a GPU: `make gpu-judge`, on a machine that has one. Prints a table and fails when a verdict is not as expected.

A lab of one Triton kernel (row softmax), graded behind bubblewrap where the machine can, with the honest kernel, known cheats, and a
kernel that never ends, after which the card is probed and the honest kernel graded again.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch

from grader.api import close_sandboxes, grade
from grader.contract import CheckResult, GradeReport, JobSpec, SandboxKind, SubmittedFile, Suite, Verdict
from grader.lab import Lab
from grader.sandbox.base import Limits, SandboxUnavailable
from grader.sandbox.choose import open_sandbox

ROWS, COLUMNS = 32_768, 8192
BANDWIDTH = {"H200": 4.8e12, "H100": 3.35e12}
DRIVER = """
def timed(program, seed, audit, rows, columns):
    return timing.timed(program.softmax, timing.draw(seed, [[rows, columns]], "float32", "cuda"), seed, audit=audit)


def project(program, seed, salt):
    return timing.project(seed, salt)


def small(program, x):
    import torch
    return program.softmax(torch.from_numpy(x).cuda()).cpu().numpy()
"""
CHECK = """
import numpy as np
import pytest
from grader.checks.timing import SpeedTrial


@pytest.mark.task("1")
@pytest.mark.points(4)
def test_values(student, rng, expect):
    x = rng.normal(size=(37, 1000)).astype(np.float32)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    expect.close(student.call("small", x=x), e / e.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.task("1")
@pytest.mark.points(6)
@pytest.mark.measured
def test_speed(student, reference, rng, measure):
    trial = SpeedTrial(student, reference, rng, floor_ms=FLOOR, rtol=1e-3, on_gpu=True, rows=ROWS, columns=COLUMNS)
    found = trial.run()
    measure.ratio(
        "time against the instructor's", found.ratio, full_at=1.2, zero_at=4.0, low=found.low, high=found.high, samples=found.samples
    )
"""
LAB = """
slug = "gpu-softmax"
title = "Softmax on a GPU"
device = "gpu"
packages = ["numpy", "torch", "triton"]
[limits]
wall_s = 20.0
load_s = 60.0
cpu_s = 200.0
memory_mb = 32768
processes = 256
disk_mb = 512
[[tasks]]
id = "1"
title = "Softmax"
points = 10
"""
HONEST = """
import torch, triton
import triton.language as tl


@triton.jit
def softmax_kernel(out, x, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + at, mask=at < columns, other=float("-inf"))
    e = tl.exp(values - tl.max(values, 0))
    tl.store(out + row * columns + at, e / tl.sum(e, 0), mask=at < columns)


def softmax(x):
    out = torch.empty_like(x)
    block = triton.next_power_of_2(x.shape[1])
    softmax_kernel[(x.shape[0],)](out, x, x.shape[1], BLOCK=block, num_warps=16)
    return out
"""
SLOW = (
    HONEST
    + """
once = softmax
def softmax(x):
    once(x)
    return once(x)
"""
)
SIDE = (
    HONEST
    + """
inner, side = softmax, torch.cuda.Stream()
def softmax(x):
    if x.shape[0] < 4096:
        return inner(x)
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        return inner(x)
"""
)
REPLAY = (
    HONEST
    + """
inner, kept = softmax, {}
def softmax(x):
    if x.shape not in kept:
        kept[x.shape] = inner(x)
    return kept[x.shape] if x.shape[0] >= 4096 else inner(x)
"""
)
BATCH = (
    HONEST
    + """
inner, waiting = softmax, []
def softmax(x):
    if x.shape[0] < 4096:
        return inner(x)
    out = torch.empty_like(x)
    waiting.append((x, out))
    if len(waiting) == 4:
        for given, to in waiting:
            to.copy_(inner(given))
        waiting.clear()
    return out
"""
)
CLOCK = (
    HONEST
    + """
torch.cuda.Event.elapsed_time = lambda self, other: 0.02
"""
)
SLOW_CLOCK = (
    HONEST
    + """
real = torch.cuda.Event.elapsed_time
torch.cuda.Event.elapsed_time = lambda self, other: real(self, other) * 0.5
"""
)
LAZY = (
    HONEST
    + """
inner = softmax
class Late(torch.Tensor):
    pass
def softmax(x):
    return inner(x) if x.shape[0] < 4096 else x.as_subclass(Late)
"""
)
HOARD = (
    HONEST
    + """
inner, held = softmax, []
def softmax(x):
    if x.shape[0] >= 4096 and not held:
        free, _ = torch.cuda.mem_get_info()
        held.append(torch.empty(free - (1 << 30), dtype=torch.uint8, device="cuda"))
    return inner(x)
"""
)
ENDLESS = (
    HONEST
    + """
@triton.jit
def endless(x):
    value = tl.load(x)
    while value > -1.0:
        value = tl.load(x, volatile=True) * 0.0 + 1.0
    tl.store(x, value)


inner = softmax
def softmax(x):
    endless[(1,)](torch.ones(1, device="cuda"))
    torch.cuda.synchronize()
    return inner(x)
"""
)
CASES = (
    ("honest", HONEST, (Verdict.PASSED,)),
    ("twice the work", SLOW, (Verdict.PASSED,)),
    ("work on a side stream", SIDE, (Verdict.TAMPERED, Verdict.FAILED, Verdict.MEMORY_LIMIT)),
    ("replays by shape", REPLAY, (Verdict.FAILED,)),
    ("computes four calls at once, later", BATCH, (Verdict.FAILED, Verdict.TAMPERED)),
    ("a clock that stands", CLOCK, (Verdict.TAMPERED,)),
    ("a clock that is slow", SLOW_CLOCK, (Verdict.TAMPERED,)),
    ("a lazy tensor", LAZY, (Verdict.ERROR,)),
    ("holds the whole card", HOARD, (Verdict.MEMORY_LIMIT, Verdict.ERROR)),
    ("a kernel that never ends", ENDLESS, (Verdict.TIME_LIMIT,)),
    ("honest, on the same card", HONEST, (Verdict.PASSED,)),
)


def write_lab(folder: Path) -> Path:
    """The lab's folder; its floor is the card's: every byte read once and written once."""
    name = torch.cuda.get_device_name()
    rate = next((value for key, value in BANDWIDTH.items() if key in name), 4.8e12)
    floor_ms = 2 * 4 * ROWS * COLUMNS / rate * 1e3
    (folder / "checks").mkdir(parents=True)
    check = CHECK.replace("FLOOR", f"{floor_ms:.5f}").replace("ROWS", str(ROWS)).replace("COLUMNS", str(COLUMNS))
    for path, text in {
        "lab.toml": LAB,
        "driver.py": DRIVER,
        "handout.md": "# Softmax\n",
        "checks/test_softmax.py": check,
    }.items():
        (folder / path).write_text(text)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(HONEST)]), folder / "notebook.ipynb")
    return folder


def graded(lab: Path, source: str, kind: SandboxKind) -> GradeReport:
    """The report of one submission."""
    path = lab / "submission.py"
    path.write_text(source)
    file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    return grade(JobSpec("gpu", str(lab), (file,), 7, Suite.FULL, kind, allow_approximate_limits=True))


def speed_check(report: GradeReport) -> CheckResult | None:
    """The measured check, or the last one that ran."""
    return report.checks[-1] if report.checks else None


def opening_times(kind: SandboxKind, lab: Path) -> None:
    """How long a run with a context on the card takes to open: the first, and one that waited."""
    sandbox, settings = open_sandbox(kind, allow_approximate_limits=True), Lab(lab).settings
    limits = Limits(memory_mb=32768, processes=256, disk_mb=512)
    for label in ("first", "warm", "warm"):
        started = time.perf_counter()
        run = sandbox.open(limits, settings.packages, gpu=True)
        print(f"open, {label}: {(time.perf_counter() - started) * 1e3:.1f} ms", flush=True)
        run.close()
        time.sleep(8)


def main() -> int:
    """Grade every case; returns 1 when a verdict is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", default="bubblewrap", choices=[kind.value for kind in SandboxKind])
    kind = SandboxKind(parser.parse_args().sandbox)
    if not torch.cuda.is_available():
        print("This machine has no GPU that torch can use.")
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, sandbox {kind.value}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="gpu-judge-"))
    try:
        lab = write_lab(folder / "lab")
        opening_times(kind, lab)
        return run_cases(lab, kind)
    except SandboxUnavailable as reason:
        print(reason)
        return 1
    finally:
        close_sandboxes()
        shutil.rmtree(folder, ignore_errors=True)


def run_cases(lab: Path, kind: SandboxKind) -> int:
    """Print the table; returns how many verdicts are wrong, at most 1."""
    print(
        "| case | verdict of the timed check | points | s | what staff read, or the measurement |\n|---|---|---|---|---|",
        flush=True,
    )
    wrong = False
    for name, source, expected in CASES:
        started = time.perf_counter()
        report = graded(lab, source, kind)
        found = speed_check(report)
        verdict = found.verdict if found else report.message
        wrong |= verdict not in expected
        mark = "" if verdict in expected else " (not expected)"
        note = (found.staff_note or found.message) if found else report.message
        print(
            f"| {name} | {verdict}{mark} | {report.score:g} | {time.perf_counter() - started:.1f} | {note} |",
            flush=True,
        )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
