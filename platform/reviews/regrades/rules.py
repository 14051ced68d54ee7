"""What may be done to a regrade now, and why not."""

from __future__ import annotations

from grader.contract import Outcome
from grading import redrive
from grading.models import GradingJob
from reviews.regrades.models import LabRegrade
from reviews.services import REASON_MIN


class RegradeRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """An act that cannot be done now; the text says why, and what to do."""


def why_not_apply(regrade: LabRegrade) -> str:
    """Why the dry run cannot be applied now, in a sentence; empty when it can. Three queries."""
    if not regrade.is_open:
        return "This regrade is no dry run any more, so it cannot be applied. Start a new one."
    if regrade.lab_id != regrade.assignment.lab_id:
        return "A newer version of the lab was published since this dry run began. Discard it and start a new one."
    jobs = GradingJob.objects.filter(regrade_item__regrade=regrade)
    if running := jobs.active().count():
        return f"{running} {'runs have' if running > 1 else 'run has'} not ended yet. Apply when all have."
    if not jobs.filter(stored_report__outcome=Outcome.GRADED).exists():
        return "No run gave a score, so there is nothing to apply. Discard this dry run."
    if doubtful := redrive.in_doubt(jobs).count():
        told = "1 run was" if doubtful == 1 else f"{doubtful} runs were"
        return (
            f"{told} made by a worker that failed its own proof around that time, so the scores may be wrong. "
            "Discard this dry run and start a new one."
        )
    return ""


def why_not_revert(regrade: LabRegrade) -> str:
    """The same for taking it back: the latest one that stands goes first. One query."""
    if not regrade.stands:
        return "This regrade is not applied, so there is nothing to revert."
    later = LabRegrade.objects.standing().filter(assignment=regrade.assignment_id, number__gt=regrade.number).first()
    return f"Regrade {later.number} was applied after this one. Revert that one first." if later else ""


def why_not_discard(regrade: LabRegrade) -> str:
    """The same for throwing it away."""
    return "" if regrade.is_open else "This regrade was applied meanwhile, so it can only be reverted."


def check(why_not: str) -> None:
    """Raise `RegradeRefused` with that sentence unless it is empty."""
    if why_not:
        raise RegradeRefused(why_not)


def check_reason(reason: str) -> None:
    """Raise `RegradeRefused` unless there is a reason that a student can read."""
    if len(reason.strip()) < REASON_MIN:
        raise RegradeRefused("Please give a reason; students whose score changes read it.")
