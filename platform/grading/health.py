"""What the grader health page shows: queues, workers, canaries and faults at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Count

from config import clock, redis
from courses.models import Enrollment
from courses.pages import StateChip
from grading.canary import is_labs_fault, labs_in_use
from grading.faults import Fault, recent_faults
from grading.figures import LaneFigures, lane_figures
from grading.fleet import CanaryRun, Drain, DrainKind, Worker
from grading.models import GradingJob

ENDED_SHOWN = timedelta(hours=1)
SILENT_SHOWN = timedelta(days=1)


@dataclass(frozen=True)
class WorkerRow:
    """A worker process. `note` says what its chip alone does not."""

    worker: Worker
    chip: StateChip
    note: str
    running: int
    present: bool
    in_service: bool
    drained: bool
    graded_again: int
    approximate: bool


@dataclass(frozen=True)
class CanaryRow:
    """What one worker's canary of one lab found last."""

    key: str
    worker: Worker
    lab_title: str
    chip: StateChip
    at: datetime | None
    took_ms: float
    score: Decimal | None
    max_score: Decimal | None
    problem: str
    bad_today: int


@dataclass(frozen=True)
class HealthPage:
    """The grader at `as_of`. `kind` and `summary` are the state of the whole in a sentence."""

    as_of: datetime
    kind: str
    summary: str
    broker_away: bool
    lanes: tuple[LaneFigures, ...]
    workers: tuple[WorkerRow, ...]
    canaries: tuple[CanaryRow, ...]
    faults: tuple[Fault, ...]
    drained: Drain | None
    canary_minutes: int


def health_page(viewer: Enrollment) -> HealthPage:
    """The whole grader for staff of one offering; of the faults, those that work of this offering met."""
    drains = list(Drain.objects.open().select_related("opened_by", "canary__lab"))
    everyone = next((drain for drain in drains if drain.worker_id is None), None)
    rows = _workers(drains, everyone)
    lanes, broker_away = lane_figures(), is_broker_away()
    kind, summary = _summary(rows, lanes, everyone, broker_away=broker_away)
    return HealthPage(
        as_of=clock.now(),
        kind=kind,
        summary=summary,
        broker_away=broker_away,
        lanes=lanes,
        workers=rows,
        canaries=tuple(row for worker in rows if worker.present for row in _canaries(worker.worker)),
        faults=recent_faults(viewer.offering),
        drained=everyone,
        canary_minutes=settings.CANARY_MINUTES,
    )


def workers_shown() -> list[Worker]:
    """Those that run, those that fell silent within a day, and those that ended within the hour."""
    now = clock.now()
    ended = Worker.objects.filter(stopped_at__gte=now - ENDED_SHOWN)
    running = Worker.objects.filter(stopped_at=None, seen_at__gte=now - SILENT_SHOWN)
    return list((running | ended).order_by("stopped_at", "host", "pk"))


def is_broker_away() -> bool:
    """Whether Redis does not answer. An installation without one has no queue at all."""
    client = redis.client()
    try:
        return client is None or not client.ping()
    except redis.Unavailable:
        return True


def _workers(drains: list[Drain], everyone: Drain | None) -> tuple[WorkerRow, ...]:
    busy = dict(
        GradingJob.objects.active()
        .filter(started_at__isnull=False, lease_until__gte=clock.now())
        .order_by()
        .values_list("worker")
        .annotate(Count("pk"))
    )
    again = dict(CanaryRun.objects.order_by().values_list("worker").annotate(Count("redriven")))
    rows = [
        _worker(
            worker,
            [drain for drain in drains if drain.worker_id == worker.pk],
            everyone,
            running=busy.get(worker.name, 0),
            graded_again=again.get(worker.pk, 0),
        )
        for worker in workers_shown()
    ]
    return tuple(sorted(rows, key=lambda row: not row.present))


def _worker(
    worker: Worker, drains: list[Drain], everyone: Drain | None, *, running: int, graded_again: int
) -> WorkerRow:
    staff = next((drain for drain in drains if drain.kind == DrainKind.STAFF), None)
    bad = next((drain for drain in drains if drain.kind == DrainKind.CANARY), None)
    chip, note = worker_state(worker, staff=staff or everyone, bad=bad)
    present = worker.is_present(clock.now())
    return WorkerRow(
        worker=worker,
        chip=chip,
        note=note,
        running=running,
        present=present,
        in_service=present and not (drains or everyone),
        drained=staff is not None,
        graded_again=graded_again,
        approximate="approximate" in worker.sandbox,
    )


def worker_state(worker: Worker, *, staff: Drain | None, bad: Drain | None) -> tuple[StateChip, str]:
    """The worst that is true of a worker, as a chip, and a sentence on it."""
    if worker.stopped_at is not None:
        refused = StateChip("fail", "Refused to start")
        return (refused, worker.open_walls) if worker.open_walls else (StateChip("muted", "Ended"), "")
    if worker.is_silent(clock.now()):
        return StateChip("warn", "Silent"), "No heartbeat: it was killed, or its host is away. Its jobs go to others."
    if worker.tested_at is None:
        return StateChip("run", "Trying its walls"), "It takes its first job once every wall has held."
    if bad is not None and bad.canary is not None:
        return StateChip(
            "fail", "Out of service"
        ), f"Its canary of {bad.canary.lab.title} was bad. A good one brings it back."
    if staff is not None:
        return StateChip("warn", "Drained"), f"By {staff.opened_by.name if staff.opened_by else 'course staff'}."
    return StateChip("pass", "In service"), ""


def _canaries(worker: Worker) -> Iterable[CanaryRow]:
    """A row for each lab in use, by what ended last there."""
    newest = {run.lab_id: run for run in worker.canaries.newest()}
    day_ago = clock.now() - timedelta(days=1)
    bad = dict(
        worker.canaries.exclude(problem="")
        .filter(ended_at__gte=day_ago)
        .order_by()
        .values_list("lab")
        .annotate(Count("pk"))
    )
    for lab in labs_in_use():
        run = newest.get(lab.pk)
        yield CanaryRow(
            key=f"{run.pk}" if run else "",
            worker=worker,
            lab_title=lab.title,
            chip=canary_chip(run),
            at=run.ended_at if run else None,
            took_ms=(run.ended_at - run.started_at).total_seconds() * 1e3 if run and run.ended_at else 0.0,
            score=run.score if run else None,
            max_score=run.max_score if run else None,
            problem=run.problem if run else "",
            bad_today=bad.get(lab.pk, 0),
        )


def canary_chip(run: CanaryRun | None) -> StateChip:
    """Good, bad, the lab's own fault, or too long ago to tell."""
    if run is None or run.ended_at is None:
        return StateChip("run", "None yet")
    if not run.is_good:
        return StateChip("warn", "The lab's fault") if is_labs_fault(run.lab) else StateChip("fail", "Bad")
    overdue = clock.now() - run.ended_at > timedelta(minutes=2 * settings.CANARY_MINUTES + 1)
    return StateChip("warn", "Overdue") if overdue else StateChip("pass", "Good")


def _summary(
    workers: tuple[WorkerRow, ...], lanes: tuple[LaneFigures, ...], everyone: Drain | None, *, broker_away: bool
) -> tuple[str, str]:
    """The state of the whole: the worst first."""
    waiting = sum(lane.waiting for lane in lanes)
    present = sum(row.present for row in workers)
    serving = sum(row.in_service for row in workers)
    jobs = f"{waiting} job{'' if waiting == 1 else 's'}"
    if not present:
        return "error", f"No worker runs, so nothing is graded. {jobs} waiting; nothing is lost."
    if everyone is not None:
        return "warning", f"All workers are drained: they finish what they run. {jobs} waiting."
    if not serving:
        return "error", f"No worker is in service, so nothing is graded. {jobs} waiting; nothing is lost."
    if broker_away:
        return "warning", f"Redis does not answer, so no worker hears of new jobs. {jobs} waiting; nothing is lost."
    if serving < present:
        return "warning", f"{serving} of {present} workers in service, {jobs} waiting."
    return "success", f"All well: {serving} worker{'' if serving == 1 else 's'} in service, {jobs} waiting."
