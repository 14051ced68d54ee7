"""Recent faults of the grader: the traces that jobs keep for staff, the same ones told once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import DateTimeField
from django.db.models.functions import Coalesce

from config import clock
from courses.models import Offering
from grading.models import GradingJob

KEPT = timedelta(days=7)
LOOKED_AT, LINKED = 500, 8
WHERE = re.compile(r"^On \S+:$", re.MULTILINE)  # as claims.record_fault begins each telling
# what differs between two tellings of one fault: addresses, numbers, ids
VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{12,64}\b|\d+(?:\.\d+)?")


@dataclass(frozen=True)
class FaultedJob:
    """A job that met the fault. Only the job of a submission has a page."""

    pk: int
    submission_pk: int | None


@dataclass(frozen=True)
class Fault:
    """The same trace of one or more jobs. `sentence` is its last line; `trace` the newest telling, whole."""

    key: str
    sentence: str
    trace: str
    count: int
    last_at: datetime
    jobs: tuple[FaultedJob, ...]
    more: int


def recent_faults(offering: Offering) -> tuple[Fault, ...]:
    """The faults that work of this offering met within a week, the latest first. One query."""
    groups: dict[str, list[GradingJob]] = {}
    for job in _faulted(offering):
        groups.setdefault(fingerprint(job.error), []).append(job)
    return tuple(_fault(key, jobs) for key, jobs in groups.items())


def fingerprint(trace: str) -> str:
    """Of the latest telling; equal for traces that differ in numbers, addresses and workers alone."""
    plain = VARYING.sub("#", WHERE.split(trace)[-1].strip())
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def _faulted(offering: Offering) -> Iterable[GradingJob]:
    """Newest first, each with `met_at`: when it ended by the fault, or began before it was given back."""
    told = GradingJob.objects.exclude(error="").annotate(
        met_at=Coalesce(
            "failed_at", "cancelled_at", "started_at", "queued_at", "requested_at", output_field=DateTimeField()
        )
    )
    recent = told.filter(met_at__gte=clock.now() - KEPT)
    ours = recent.filter(submission__assignment__offering=offering) | recent.filter(
        practice_run__assignment__offering=offering
    )
    return ours.order_by("-met_at", "-pk")[:LOOKED_AT]


def _fault(key: str, jobs: list[GradingJob]) -> Fault:
    newest = jobs[0]
    trace = newest.error.strip()
    return Fault(
        key=key,
        sentence=trace.splitlines()[-1].strip(),
        trace=trace,
        count=len(jobs),
        last_at=newest.met_at,  # type: ignore[attr-defined]
        jobs=tuple(FaultedJob(job.pk, job.submission_id) for job in jobs[:LINKED]),
        more=max(len(jobs) - LINKED, 0),
    )
