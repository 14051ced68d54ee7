"""Queues and times in numbers, for the health page and for Prometheus: the two must never disagree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from config import clock
from grading.models import GradingJob, Lane

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HALF, MOST = 0.5, 0.95


@dataclass(frozen=True)
class Spread:
    """How long something took: of `count` cases half took at most `p50_s` seconds, 95 in 100 at most `p95_s`."""

    count: int = 0
    p50_s: float | None = None
    p95_s: float | None = None


@dataclass(frozen=True)
class Times:
    """Of the jobs of one lane: from the request to the start, and from the start to the end."""

    wait: Spread = Spread()
    run: Spread = Spread()


@dataclass(frozen=True)
class LaneFigures:
    """One lane now, over the last hour and over the last day. `oldest_s` is the age of the job that waits longest."""

    lane: str
    title: str
    waiting: int = 0
    oldest_s: float | None = None
    running: int = 0
    hour: Times = field(default_factory=Times)
    day: Times = field(default_factory=Times)


def lane_figures() -> tuple[LaneFigures, ...]:
    """Every lane, the empty ones too. Two queries."""
    now = clock.now()
    depths, jobs = _depths(), _recent(now - DAY)
    return tuple(_lane(lane, title, depths.get(lane, (0, None, 0)), jobs, now) for lane, title in Lane.choices)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest of the values that `share` of them do not exceed (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def spread(values: Sequence[float]) -> Spread:
    """Count, median and 95th percentile."""
    return Spread(len(values), percentile(values, HALF), percentile(values, MOST))


Begun = tuple[str, datetime, datetime, datetime | None]


def _depths() -> dict[str, tuple[int, datetime | None, int]]:
    """By lane: jobs that wait, since when the oldest does, jobs that run."""
    waits = Q(started_at=None)
    rows = (
        GradingJob.objects.active()
        .order_by()
        .values_list("lane")
        .annotate(
            waiting=Count("pk", filter=waits),
            oldest=Min("requested_at", filter=waits),
            running=Count("pk", filter=~waits),
        )
    )
    return {lane: (waiting, oldest, running) for lane, waiting, oldest, running in rows}


def _recent(since: datetime) -> list[Begun]:
    """Lane, request, start and end of the jobs that began or finished since then."""
    jobs = GradingJob.objects.filter(Q(started_at__gte=since) | Q(finished_at__gte=since))
    rows = jobs.order_by().values_list("lane", "requested_at", "started_at", "finished_at")
    return [(lane, asked_at, began_at, ended_at) for lane, asked_at, began_at, ended_at in rows if began_at is not None]


def _lane(
    lane: str, title: str, depth: tuple[int, datetime | None, int], jobs: Iterable[Begun], now: datetime
) -> LaneFigures:
    mine = [job for job in jobs if job[0] == lane]
    waiting, oldest, running = depth
    return LaneFigures(
        lane=lane,
        title=title,
        waiting=waiting,
        oldest_s=(now - oldest).total_seconds() if oldest else None,
        running=running,
        hour=_times(mine, now - HOUR),
        day=_times(mine, now - DAY),
    )


def _times(jobs: Iterable[Begun], since: datetime) -> Times:
    waits, runs = [], []
    for _lane, requested_at, started_at, finished_at in jobs:
        if started_at >= since:
            waits.append((started_at - requested_at).total_seconds())
        if finished_at is not None and finished_at >= since:
            runs.append((finished_at - started_at).total_seconds())
    return Times(spread(waits), spread(runs))
