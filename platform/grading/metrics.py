"""The health page's figures for Prometheus, read from the database at each scrape, so that every web process says the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings
from django.db.models import Count
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from config import clock
from grading.figures import HALF, MOST, LaneFigures, Spread, lane_figures
from grading.fleet import CanaryRun, Drain, Worker
from grading.health import workers_shown
from grading.models import GradingJob


def is_allowed(authorization: str) -> bool:
    """Whether the header carries the installation's token."""
    token = settings.METRICS_TOKEN
    return bool(token) and secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def exposition(accept: str) -> tuple[bytes, str]:
    """All metrics in the format that the scraper asks for, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GraderCollector())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class GraderCollector(Collector):
    """Queues, times, workers and canaries as metric families."""

    def collect(self) -> Iterable[Metric]:
        """Read everything now."""
        lanes = lane_figures()
        yield from _queues(lanes)
        yield _summary(
            "gradlab_job_wait_seconds",
            "From request to start of jobs that began within the last hour.",
            {lane.lane: lane.hour.wait for lane in lanes},
        )
        yield _summary(
            "gradlab_job_run_seconds",
            "From start to end of jobs that finished within the last hour.",
            {lane.lane: lane.hour.run for lane in lanes},
        )
        yield _ended()
        workers = workers_shown()
        yield from _workers(workers)
        yield from _canaries(workers)


def _queues(lanes: tuple[LaneFigures, ...]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("gradlab_queue_depth", "Jobs that wait.", labels=["lane"])
    oldest = GaugeMetricFamily(
        "gradlab_queue_oldest_seconds", "Age of the job that waits longest; 0 for none.", labels=["lane"]
    )
    running = GaugeMetricFamily("gradlab_jobs_running", "Jobs that a worker runs.", labels=["lane"])
    for lane in lanes:
        depth.add_metric([lane.lane], lane.waiting)
        oldest.add_metric([lane.lane], lane.oldest_s or 0.0)
        running.add_metric([lane.lane], lane.running)
    yield from (depth, oldest, running)


def _summary(name: str, documentation: str, lanes: dict[str, Spread]) -> Metric:
    """Quantiles over a sliding hour. Sum and count would have to grow for ever, which rows that are pruned cannot promise."""
    family = Metric(name, documentation, "summary")
    for lane, spread in lanes.items():
        for quantile, value in ((HALF, spread.p50_s), (MOST, spread.p95_s)):
            if value is not None:
                family.add_sample(name, {"lane": lane, "quantile": str(quantile)}, value)
    return family


def _ended() -> Metric:
    """Of submissions alone: their jobs are kept for ever, so the count only grows."""
    counts = GradingJob.objects.filter(submission__isnull=False).aggregate(
        finished=Count("finished_at"), failed=Count("failed_at"), cancelled=Count("cancelled_at")
    )
    family = CounterMetricFamily("gradlab_submission_jobs", "Jobs of submissions that have ended.", labels=["outcome"])
    for outcome, count in counts.items():
        family.add_metric([outcome], count)
    return family


def _workers(workers: list[Worker]) -> Iterator[Metric]:
    labels = ["worker", "host"]
    seen = GaugeMetricFamily(
        "gradlab_worker_last_heartbeat_timestamp_seconds", "When the worker was last heard of.", labels=labels
    )
    serving = GaugeMetricFamily(
        "gradlab_worker_in_service",
        "1 while the worker may claim jobs: it beats, its walls held, and it is not drained.",
        labels=labels,
    )
    slots = GaugeMetricFamily("gradlab_worker_concurrency", "Jobs that the worker runs at a time.", labels=labels)
    drained = set(Drain.objects.open().values_list("worker_id", flat=True))
    for worker in workers:
        free = worker.is_present(clock.now()) and not drained & {worker.pk, None}
        seen.add_metric([worker.name, worker.host], _timestamp(worker.seen_at))
        serving.add_metric([worker.name, worker.host], int(free))
        slots.add_metric([worker.name, worker.host], worker.concurrency)
    yield from (seen, serving, slots)


def _canaries(workers: list[Worker]) -> Iterator[Metric]:
    labels = ["worker", "host", "lab"]
    good = GaugeMetricFamily("gradlab_canary_good", "1 where the latest canary got all points.", labels=labels)
    ended = GaugeMetricFamily(
        "gradlab_canary_last_end_timestamp_seconds", "When the latest canary ended.", labels=labels
    )
    runs = CanaryRun.objects.newest().filter(worker__in=workers, ended_at__isnull=False)
    latest = {(run.worker_id, run.lab.slug): run for run in runs.select_related("worker", "lab").order_by("pk")}
    for run in latest.values():  # of two versions of a lab, what ran last
        values = [run.worker.name, run.worker.host, run.lab.slug]
        good.add_metric(values, int(run.is_good))
        ended.add_metric(values, _timestamp(run.ended_at or run.started_at))
    again = GaugeMetricFamily(
        "gradlab_jobs_graded_again", "Jobs that bad canaries asked for.", labels=["worker", "host"]
    )
    runs_of = CanaryRun.objects.filter(worker__in=workers).order_by()
    rows = runs_of.values_list("worker__name", "worker__host")
    for name, host, count in rows.annotate(Count("redriven")):
        again.add_metric([name, host], count)
    yield from (good, ended, again)


def _timestamp(moment: datetime) -> float:
    """Seconds since 1970 by the machine's clock, which a demo's own clock is not."""
    return (moment - settings.CLOCK_OFFSET).timestamp()
