"""A warm process that grades by `grader.api.grade`, as the Celery worker does: one JSON request a line in, one JSON answer a line out.

Request: {"files": [path of a notebook, …], "beside": whether the same checks also run in this process, without walls, after each}.
Answer: an `Answer` as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import nbformat

from grader.api import close_sandboxes, grade
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile

from .assignment import CHECKS, POINTS, Variant, in_one_process
from .measure import tree_cpu_s

SETTLE_S = 0.03  # until the kernel has booked what the last run's processes used


class Answer(msgspec.Struct, frozen=True):
    """What grading the files in turn gave and took. `…_s` are seconds; `from_s` and `to_s` are on the clock that all processes share.

    `walls_s` and `cpu_s` are of grading, file by file and all together; `beside_s` and `beside_cpu_s` of the runs without walls.
    """

    scores: tuple[float, ...]
    walls_s: tuple[float, ...]
    cpu_s: float
    beside_s: tuple[float, ...]
    beside_cpu_s: float
    from_s: float
    to_s: float
    sandbox: str


class OneProcess:
    """The same checks in this process, compiled once: what grading would cost if there were nobody to keep out."""

    def __init__(self, variant: Variant) -> None:
        self._checks = [compile(in_one_process(check, variant), check.name, "exec") for check in CHECKS]

    def score(self, notebook: Path) -> float:
        """Run the notebook's cells and then every check in their namespace; for our own submissions only."""
        namespace: dict[str, Any] = {}
        cells = nbformat.read(notebook, as_version=4).cells
        for cell in cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, "cell", "exec"), namespace)
        return float(sum(POINTS for check in self._checks if self._holds(check, dict(namespace))))

    def _holds(self, check: Any, namespace: dict[str, Any]) -> bool:
        try:
            exec(check, namespace)
        except Exception:  # noqa: BLE001 - whatever the student's class raises, the check does not hold
            return False
        return True


def job(lab: Path, notebook: Path) -> JobSpec:
    """Grade this notebook behind bubblewrap; what the report calls the sandbox says whether limits are exact here."""
    file = SubmittedFile(notebook.name, str(notebook), hashlib.sha256(notebook.read_bytes()).hexdigest())
    return JobSpec(
        notebook.stem, str(lab), (file,), seed=1, sandbox=SandboxKind.BUBBLEWRAP, allow_approximate_limits=True
    )


def graded(lab: Path, notebook: Path) -> GradeReport:
    """The report; raises `RuntimeError` when there is no grade in it."""
    report = grade(job(lab, notebook))
    if report.outcome is not Outcome.GRADED:
        raise RuntimeError(f"{notebook.name}: {report.outcome}: {report.message}")
    return report


def answer(lab: Path, beside: OneProcess | None, files: list[str]) -> Answer:
    """Grade the files one after the other, and with `beside` run the same checks without walls after each."""
    reports, walls, besides = [], [], []
    cpu, beside_cpu, began = tree_cpu_s(), 0.0, time.monotonic()
    for notebook in map(Path, files):
        report, wall, _ = _timed(lambda notebook=notebook: graded(lab, notebook))
        reports.append(report)
        walls.append(wall)
        if beside:
            score, wall, own_cpu = _timed(lambda notebook=notebook: beside.score(notebook))
            besides.append(wall)
            beside_cpu += own_cpu
            if score != report.score:
                raise RuntimeError(f"{notebook.name}: {score} points in one process, {report.score} behind walls")
    ended = time.monotonic()
    time.sleep(SETTLE_S)
    used = tree_cpu_s() - cpu - beside_cpu
    scores = tuple(report.score for report in reports)
    return Answer(scores, tuple(walls), used, tuple(besides), beside_cpu, began, ended, reports[-1].sandbox)


def _timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `run` returns, its wall seconds, and the CPU seconds of this process alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """argv: the lab's folder and its variant. Serves until its input ends."""
    lab, beside = Path(sys.argv[1]), OneProcess(Variant(sys.argv[2]))
    try:
        for line in sys.stdin:
            request = json.loads(line)
            found = answer(lab, beside if request["beside"] else None, request["files"])
            print(msgspec.json.encode(found).decode(), flush=True)
    finally:
        close_sandboxes()


if __name__ == "__main__":
    main()
