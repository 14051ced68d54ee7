"""What is due: labs, readings, deliverables; published versions of labs. What moves a due date lives in `assignments.due`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import models

from assignments.due.rules import DueDate
from assignments.querysets import AssignmentQuerySet
from courses.models import Enrollment, Offering
from grader.contract import LabSummary


class Lab(models.Model):
    """One version of a labs/ folder, copied under the data directory and never changed afterwards."""

    slug = models.SlugField()
    version = models.CharField(max_length=64, help_text="Hash of the folder's content.")
    title = models.CharField(max_length=200)
    path = models.CharField(max_length=300, help_text="Below the directory of published labs.")
    manifest = models.TextField(help_text="The grader's summary of the lab, as JSON.")
    published_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("slug", "version"), name="one_lab_a_version"),)

    def __str__(self) -> str:
        return f"{self.title} ({self.version[:8]})"

    @cached_property
    def summary(self) -> LabSummary:
        """Tasks, checks, limits and handout, as the grader read them when this version was published."""
        return msgspec.json.decode(self.manifest, type=LabSummary)

    @property
    def on_gpu(self) -> bool:
        """Whether its runs need a worker with a GPU."""
        return self.summary.on_gpu

    @property
    def folder(self) -> Path:
        """Where this version's files lie."""
        return Path(settings.LABS_DIR) / self.path


class Kind(models.TextChoices):
    """What kind of work an assignment is."""

    LAB = "lab", "Lab"
    READING = "reading", "Reading"
    DELIVERABLE = "deliverable", "Deliverable"


class Assignment(models.Model):
    """Work with a due date. `due_at` is the last second that still counts."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="assignments")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    slug = models.SlugField()
    number = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=300)
    opens_at = models.DateTimeField()
    due_at = models.DateTimeField()
    points = models.DecimalField(max_digits=7, decimal_places=2, default=Decimal(0))
    max_attempts = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: as many as they like.")
    cooldown_minutes = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Between two submissions of a student; empty: none."
    )
    released_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on students see what hidden checks found."
    )
    scored_elsewhere = models.BooleanField(
        default=False, help_text="Neither checks nor a rubric give its score, as that of a talk, which is rated."
    )
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="assignments")

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ("kind", "number")
        constraints = (
            models.UniqueConstraint(fields=("offering", "slug"), name="one_assignment_a_slug"),
            models.CheckConstraint(condition=models.Q(due_at__gt=models.F("opens_at")), name="due_after_opening"),
        )

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """As people call it: "Lab 1: AutoDiff"."""
        return f"{self.get_kind_display()} {self.number}: {self.title}"

    @property
    def is_published(self) -> bool:
        """Whether there is something to hand in to: a lab needs a published version."""
        return self.kind != Kind.LAB or self.lab_id is not None

    def is_open(self, now: datetime) -> bool:
        """Whether students may see it."""
        return now >= self.opens_at

    def is_released(self, now: datetime) -> bool:
        """Whether what hidden checks found is shown to students."""
        return self.released_at is not None and self.released_at <= now

    def due_date_for(self, enrollment: Enrollment) -> DueDate:
        """When it is due for this student, and by which rule. Two queries."""
        return decided(enrollment, [self])[self.pk]

    def due_for(self, enrollment: Enrollment) -> datetime:
        """The moment alone."""
        return self.due_date_for(enrollment).due_at

    def accepts_from(self, enrollment: Enrollment, now: datetime) -> bool:
        """Whether work that arrives `now` is accepted; the second of the due moment itself still is."""
        return self.is_open(now) and now.replace(microsecond=0) <= self.due_for(enrollment)


# Django finds an app's models here; what moves due dates lives with the rest of its part.
from assignments.due.models import Accommodation, Extension  # noqa: E402, F401
from assignments.due.selectors import decided  # noqa: E402
