"""The grading workers as rows: who is there, what keeps one from taking jobs, and what its canaries found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q
from django.utils.functional import cached_property

from accounts.models import User
from assignments.models import Lab


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers, asked by what they may do."""

    def in_service(self) -> Self:
        """Neither ended nor drained."""
        drained = Drain.objects.open().filter(Q(worker=None) | Q(worker=OuterRef("pk")))
        return self.filter(~Exists(drained), stopped_at=None)


class Worker(models.Model):
    """One worker process from its start to its end. `name` is what its jobs call it; `node` is what Celery calls it."""

    name = models.CharField(max_length=120, unique=True)
    node = models.CharField(max_length=120)
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    concurrency = models.PositiveSmallIntegerField()
    queues = models.CharField(max_length=200, help_text="Separated by commas.")
    sandbox = models.CharField(max_length=120, blank=True, help_text="As reports name it.")
    grader_version = models.CharField(max_length=16, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="Its latest heartbeat.")
    tested_at = models.DateTimeField(null=True, help_text="When its walls were tried; before that it takes no job.")
    open_walls = models.TextField(blank=True, help_text="Why it refuses all jobs: the walls that did not hold.")
    stopped_at = models.DateTimeField(null=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ("host", "pk")

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"

    @property
    def lanes(self) -> frozenset[str]:
        """The lanes that it takes jobs from."""
        return frozenset(self.queues.split(","))

    @property
    def lane_names(self) -> str:
        """The same as words."""
        return ", ".join(self.queues.split(","))

    @property
    def canary_queue(self) -> str:
        """The queue that nobody else takes from."""
        return f"canary.{self.name}"

    def is_silent(self, now: datetime) -> bool:
        """Whether it has missed so many heartbeats that it must be thought gone."""
        return self.stopped_at is None and now - self.seen_at > timedelta(seconds=settings.WORKER_SILENT_S)

    def is_present(self, now: datetime) -> bool:
        """Whether it runs and could take jobs, if nothing kept it from them."""
        return self.stopped_at is None and self.tested_at is not None and not self.is_silent(now)


class CanaryQuerySet(models.QuerySet["CanaryRun"]):
    """Canaries, asked by what came of them."""

    def good(self) -> Self:
        """Ended with full points."""
        return self.filter(ended_at__isnull=False, problem="")

    def newest(self) -> Self:
        """The one of each worker and lab that ended last."""
        ended = self.filter(ended_at__isnull=False).order_by()
        return self.filter(pk__in=ended.values("worker", "lab").annotate(newest=Max("pk")).values("newest"))


class CanaryRun(models.Model):
    """A lab's reference solution, graded by one worker to prove that worker. It belongs to no student and counts nowhere."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="canaries")
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="canaries")
    seed = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    score = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    max_score = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    problem = models.TextField(blank=True, help_text="Why it is a bad one.")

    objects = CanaryQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("worker", "lab", "started_at"), name="canaries_of_a_worker"),)

    def __str__(self) -> str:
        return f"Canary {self.pk} of {self.lab} on {self.worker}"

    @cached_property
    def is_good(self) -> bool:
        """Ended with full points."""
        return self.ended_at is not None and not self.problem


class DrainKind(models.TextChoices):
    """Who keeps the worker from its jobs."""

    STAFF = "staff", "Staff"
    CANARY = "canary", "A bad canary"


class DrainQuerySet(models.QuerySet["Drain"]):
    """Drains, asked by whom they hold."""

    def open(self) -> Self:
        """Those that still hold."""
        return self.filter(ended_at=None)

    def holding(self, worker: str) -> Self:
        """Those that keep the worker of this name from claiming a job."""
        return self.open().filter(Q(worker=None) | Q(worker__name=worker))


class Drain(models.Model):
    """A time in which a worker claims no job; without a `worker`, no worker does, not even one that starts later."""

    worker = models.ForeignKey(Worker, null=True, on_delete=models.CASCADE, related_name="drains")
    kind = models.CharField(max_length=10, choices=DrainKind)
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    canary = models.ForeignKey(CanaryRun, null=True, on_delete=models.CASCADE, related_name="drains")
    suspect_since = models.DateTimeField(null=True, help_text="From here on the worker's results are graded again.")

    objects = DrainQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("worker", "kind"), condition=Q(ended_at=None), name="one_open_drain_a_worker_and_kind"
            ),
            models.UniqueConstraint(
                fields=("kind",), condition=Q(ended_at=None, worker=None), name="one_open_drain_of_all"
            ),
            models.CheckConstraint(
                condition=Q(kind="staff", canary=None) | Q(kind="canary", canary__isnull=False, worker__isnull=False),
                name="a_canary_drains_its_own_worker",
            ),
        )

    def __str__(self) -> str:
        return f"{self.worker or 'All workers'} drained at {self.opened_at}"
