"""What the pattern page shows of the grader health page: queues, workers, canaries and faults in every state."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from config import clock
from courses.pages import StateChip
from grading.faults import Fault, FaultedJob
from grading.figures import LaneFigures, Spread, Times
from grading.fleet import Worker
from grading.health import CanaryRow, WorkerRow

PROBLEM = "The reference solution got 86 of 100 points. matmul, batched: failed. cotangent of b: max error 0.4"
TRACE = """\
Traceback (most recent call last):
  File "grader/api.py", line 131, in grade
    results = _run(suite, submission, reference, spec, on_event)
SandboxUnavailable: the Docker engine could not start a container: device or resource busy"""


def lanes() -> tuple[LaneFigures, ...]:
    """A lane with work, and an empty one."""
    busy = Times(Spread(214, 0.8, 6.3), Spread(209, 1.4, 11.9))
    return (
        LaneFigures("grading", "Submissions", 12, 84.0, 2, busy, Times(Spread(1890, 0.6, 4.1), Spread(1886, 1.3, 9.0))),
        LaneFigures("interactive", "Run checks"),
    )


def workers() -> tuple[WorkerRow, ...]:
    """A worker in each state."""
    return (
        _row(41, StateChip("pass", "In service"), running=2),
        _row(42, StateChip("warn", "Drained"), "By Priya Raman.", running=1, approximate=True),
        _row(
            43,
            StateChip("fail", "Out of service"),
            "Its canary of AutoDiff was bad. A good one brings it back.",
            graded_again=7,
        ),
        _row(
            44, StateChip("run", "Trying its walls"), "It takes its first job once every wall has held.", tested=False
        ),
        _row(
            45, StateChip("warn", "Silent"), "No heartbeat: it was killed, or its host is away. Its jobs go to others."
        ),
        _row(46, StateChip("fail", "Refused to start"), "memory: 300 MB were held", open_walls="memory"),
    )


def canaries(theme: str) -> tuple[CanaryRow, ...]:
    """A good canary, a bad one, and one that has not run yet."""
    now, worker = clock.now(), _worker(41)
    return (
        CanaryRow("", worker, "AutoDiff", StateChip("pass", "Good"), now, 5900.0, Decimal(100), Decimal(100), "", 0),
        CanaryRow(
            f"{theme}-1",
            worker,
            "AutoDiff",
            StateChip("fail", "Bad"),
            now,
            6100.0,
            Decimal(86),
            Decimal(100),
            PROBLEM,
            3,
        ),
        CanaryRow("", worker, "Attention kernels", StateChip("run", "None yet"), None, 0.0, None, None, "", 0),
    )


def faults(theme: str) -> tuple[Fault, ...]:
    """A fault that three jobs met."""
    jobs = (FaultedJob(1041, None), FaultedJob(1040, None), FaultedJob(1033, None))
    return (Fault(theme, TRACE.splitlines()[-1], TRACE, 3, clock.now(), jobs, 0),)


def _worker(pid: int, *, tested: bool = True, open_walls: str = "") -> Worker:
    now: datetime = clock.now()
    return Worker(
        pk=pid,
        name=f"gpu-1:{pid}",
        host="gpu-1",
        pid=pid,
        concurrency=2,
        queues="interactive,grading",
        sandbox="bubblewrap",
        grader_version="5f0c1d2e9a7b4c38",
        started_at=now - timedelta(hours=5),
        seen_at=now - timedelta(seconds=3),
        tested_at=now - timedelta(hours=5) if tested else None,
        open_walls=open_walls,
        stopped_at=now if open_walls else None,
    )


def _row(
    pid: int,
    chip: StateChip,
    note: str = "",
    *,
    running: int = 0,
    graded_again: int = 0,
    approximate: bool = False,
    tested: bool = True,
    open_walls: str = "",
) -> WorkerRow:
    worker = _worker(pid, tested=tested, open_walls=open_walls)
    if approximate:
        worker.sandbox = "bubblewrap (limits are approximate on this host)"
    return WorkerRow(
        worker=worker,
        chip=chip,
        note=note,
        running=running,
        present=True,
        in_service=chip.kind == "pass",
        drained=chip.label == "Drained",
        graded_again=graded_again,
        approximate=approximate,
    )
