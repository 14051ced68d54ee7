"""Where a waiting job stands in its lane: how many run before it, and when it is likely to begin."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median, quantiles

from config import clock
from grading.models import GradingJob
from grading.selectors import live_workers

RECENT, ENOUGH = 50, 5


@dataclass(frozen=True)
class Wait:
    """Seconds until a job is likely to begin: by the median of recent runs, and by nine in ten of them."""

    likely_s: float
    at_most_s: float


@dataclass(frozen=True)
class Place:
    """A place in line. `ahead` are waiting jobs that run before; without enough recent runs, or a live worker, there is no `wait`."""

    ahead: int
    wait: Wait | None


def place_of(job: GradingJob) -> Place:
    """The place of a waiting job. Four queries, the longest over the jobs that wait in its lane."""
    in_lane = GradingJob.objects.filter(lane=job.lane)
    claimable = in_lane.claimable(clock.now()).in_line()
    line = list(claimable.values_list("pk", "student", "rerun"))
    ahead = _ahead([(pk, student) for pk, student, rerun in line if rerun == job.rerun], job.pk)
    if job.rerun:
        ahead += sum(not rerun for _, _, rerun in line)
    return Place(ahead, _wait(job.lane, ahead))


def _ahead(line: list[tuple[int, int]], pk: int) -> int:
    """How many of a line (id, student) run before the job `pk`: each turn takes one job of each student, in the order of the line."""
    student = next((owner for found, owner in line if found == pk), None)
    if student is None:
        return 0
    own = [found for found, owner in line if owner == student].index(pk)
    order = list(dict.fromkeys(owner for _, owner in line))
    counts = Counter(owner for _, owner in line)
    before = order.index(student)
    return own + sum(min(counts[other], own + (at < before)) for at, other in enumerate(order) if other != student)


def _wait(lane: str, ahead: int) -> Wait | None:
    """Recent durations, times all that must end before, over the slots that work on it."""
    slots = sum(live_workers(lane).values())
    recent = GradingJob.objects.filter(lane=lane, finished_at__isnull=False, started_at__isnull=False)
    spans = recent.order_by("-finished_at").values_list("started_at", "finished_at")[:RECENT]
    durations = [(end - start).total_seconds() for start, end in spans if start and end]
    if not slots or len(durations) < ENOUGH:
        return None
    running = GradingJob.objects.filter(lane=lane).running(clock.now()).count()
    rounds = (ahead + running) / slots
    return Wait(median(durations) * rounds, quantiles(durations, n=10, method="inclusive")[8] * rounds)
