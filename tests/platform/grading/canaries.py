"""What the tests of canaries share: breaking a lab, mending it, and work that a certain worker graded."""

from __future__ import annotations

import shutil
from pathlib import Path

from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import canary, claims
from grading.claims import Claim
from grading.models import CanaryRun, Drain, GradingJob
from tests.factories import TINY, reported, submit


def notebook_of(folder: Path) -> Path:
    return folder / "notebook.ipynb"


def damage(lab) -> None:
    """Let the reference solution subtract, in this worker's copy of the published lab."""
    file = notebook_of(lab.folder)
    whole = file.read_text()
    assert "return a + b" in whole
    file.write_text(whole.replace("return a + b", "return a - b"))


def mend(lab) -> None:
    shutil.copy(notebook_of(TINY), notebook_of(lab.folder))


def send(worker, lab) -> CanaryRun:
    return canary.run_canary(worker=worker, lab=lab)


def graded_by(worker, lab, student, first=6.0, second=4.0):
    """A submission with a report that this worker wrote."""
    submission = reported(submit(lab, student), first, second)
    GradingJob.objects.filter(submission=submission).update(worker=worker.name)
    return submission


def redriven() -> set[int]:
    return set(GradingJob.objects.filter(canary__isnull=False).values_list("submission_id", flat=True))


def is_out(worker) -> bool:
    return Drain.objects.open().filter(worker=worker, kind="canary").exists()


def report_of(score: float) -> Report:
    return Report(Outcome.GRADED, score, 10.0, seed=1)


def fail_for_good(held: Claim, error: str) -> None:
    """Twice by our fault, on the same worker."""
    worker = GradingJob.objects.get(pk=held.job_id).worker
    assert claims.record_fault(held, error=error)
    assert claims.record_fault(claims.claim(job_id=held.job_id, worker=worker), error=error)
