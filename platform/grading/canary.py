"""Canaries: each worker grades the reference solution of every published lab, again and again, as it grades students.

A bad one takes the worker out of service and has graded again whatever the worker graded since its last good one. A good one
brings the worker back. Decision record 7 says why.
"""

from __future__ import annotations

import secrets
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from assignments.models import Lab
from config import clock
from courses.models import AFTERMATH
from grader.api import grade, reference_submission
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind
from grading import redrive
from grading.fleet import CanaryRun, Drain, DrainKind, Worker
from grading.models import lanes_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Finding:
    """What a canary brought home; without a problem it is a good one."""

    problem: str
    score: Decimal | None = None
    max_score: Decimal | None = None


def labs_in_use() -> QuerySet[Lab]:
    """The published versions that assignments of current offerings grade with."""
    today = clock.now().date()
    return Lab.objects.filter(assignments__offering__ends_on__gte=today - AFTERMATH).order_by("slug", "pk").distinct()


def labs_due(worker: Worker) -> list[Lab]:
    """The labs whose canary this worker should run now: none while staff keep it drained, soon again while it is bad."""
    if not settings.CANARY_MINUTES or Drain.objects.holding(worker.name).filter(kind=DrainKind.STAFF).exists():
        return []
    out = Drain.objects.open().filter(worker=worker, kind=DrainKind.CANARY).exists()
    since = clock.now() - timedelta(seconds=settings.CANARY_RETRY_S if out else settings.CANARY_MINUTES * 60)
    recent = set(worker.canaries.filter(started_at__gt=since).values_list("lab_id", flat=True))
    return [lab for lab in labs_in_use() if lab.pk not in recent and lanes_of(lab) & worker.lanes]


def run_canary(*, worker: Worker, lab: Lab) -> CanaryRun:
    """Grade the lab's reference solution as a submission is graded, and draw the consequences."""
    run = CanaryRun.objects.create(worker=worker, lab=lab, seed=secrets.randbits(48), started_at=clock.now())
    return conclude(run, _grade(run))


@transaction.atomic
def conclude(run: CanaryRun, finding: Finding) -> CanaryRun:
    """Keep what the canary found, and take its worker out of service or bring it back."""
    run.ended_at, run.problem = clock.now(), finding.problem
    run.score, run.max_score = finding.score, finding.max_score
    run.save(update_fields=["ended_at", "problem", "score", "max_score"])
    log.info("canary_ended", worker=run.worker.name, lab=run.lab.slug, problem=finding.problem)
    _settle(Worker.objects.select_for_update().get(pk=run.worker_id))
    _forget_old_ones(run)
    return run


def give_up_lost(worker: Worker) -> int:
    """A canary that killed the process it ran in, or never ended, is a bad one."""
    patience = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 60)
    unended = worker.canaries.filter(ended_at=None, started_at__lt=clock.now() - patience)
    lost = list(unended.select_related("worker", "lab"))
    for run in lost:
        conclude(run, Finding(f"The canary did not come back within {patience.total_seconds():.0f} s."))
    return len(lost)


def failing(worker: Worker) -> list[CanaryRun]:
    """The worker's latest canaries that are bad by its own fault, one a lab."""
    latest = list(worker.canaries.newest().filter(lab__in=labs_in_use()).select_related("lab"))
    grades_something = any(run.is_good for run in latest)
    return [run for run in latest if not run.is_good and not (grades_something and is_labs_fault(run.lab))]


def is_labs_fault(lab: Lab) -> bool:
    """Whether no worker has ever graded this version's reference solution well, so that a bad canary tells of the lab."""
    return not CanaryRun.objects.good().filter(lab=lab).exists()


def _grade(run: CanaryRun) -> Finding:
    try:
        report = grade(
            JobSpec(
                job_id=f"canary-{run.pk}",
                lab_path=str(run.lab.folder),
                files=(reference_submission(run.lab.folder),),
                seed=run.seed,
                sandbox=SandboxKind(settings.SANDBOX),
                allow_approximate_limits=settings.ALLOW_APPROXIMATE_LIMITS,
                gpu=run.lab.on_gpu,
            )
        )
    except Exception:  # noqa: BLE001 - whatever it is, it keeps this worker from grading
        return Finding(traceback.format_exc())
    return Finding(_problem(report, run.lab), Decimal(str(report.score)), Decimal(str(report.max_score)))


def _problem(report: GradeReport, lab: Lab) -> str:
    """A sentence for staff, or nothing for a report as it should be."""
    if report.outcome != Outcome.GRADED:
        return f"The reference solution ended as “{report.outcome.value}”: {report.message}"
    said = []
    lost = [check for check in report.checks if check.score < check.max_score]
    if lost:
        told = "; ".join(f"{check.title}: {check.verdict.value}. {check.message}".strip() for check in lost)
        said.append(f"The reference solution got {report.score:g} of {report.max_score:g} points. {told}")
    if report.lab_version != lab.version:
        said.append(f"The lab's files here are not the published ones: {report.lab_version}, not {lab.version}.")
    return "\n".join(said)


def _settle(worker: Worker) -> None:
    """Open, keep or end the canary's drain, and send again what may be wrong.

    While the worker is out, each canary looks for suspect results anew, the one that brings it back too: a claim that passed
    just before the drain is found by the next.
    """
    bad = failing(worker)
    held = Drain.objects.open().filter(worker=worker, kind=DrainKind.CANARY).select_related("canary").first()
    if bad and held is None:
        held = Drain.objects.create(
            worker=worker,
            kind=DrainKind.CANARY,
            opened_at=clock.now(),
            canary=bad[0],
            suspect_since=_suspect_since(worker, bad),
        )
        log.error("worker_out_of_service", worker=worker.name, reason=bad[0].problem)
    if held is None:
        return
    assert held.canary is not None  # the database holds it: a_canary_drains_its_own_worker
    assert held.suspect_since is not None
    if bad:
        held.suspect_since = min(held.suspect_since, _suspect_since(worker, bad))
        redrive.take_back(worker)
    else:
        held.ended_at = clock.now()
        log.info("worker_back_in_service", worker=worker.name)
    held.save(update_fields=["suspect_since", "ended_at"])
    redrive.grade_again(worker, canary=held.canary, since=held.suspect_since)


def _suspect_since(worker: Worker, bad: list[CanaryRun]) -> datetime:
    """The start of the last good canary of the labs that are bad now; without one, the worker's own start."""
    starts = [worker.canaries.good().filter(lab=run.lab, pk__lt=run.pk).first() for run in bad]
    return min(run.started_at if run else worker.started_at for run in starts)


def _forget_old_ones(run: CanaryRun) -> None:
    """Good canaries are kept for some days, and the last one for ever; bad ones are kept."""
    good = run.worker.canaries.good().filter(lab=run.lab)
    last = good.first()
    if last is not None:
        kept = clock.now() - timedelta(seconds=settings.CANARIES_KEPT_S)
        good.filter(started_at__lt=kept).exclude(pk=last.pk).delete()
