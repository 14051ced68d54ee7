"""A regrade of a lab, the runs it is made of, and what it changed for whom. Scores stay in the reports that the runs made."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from accounts.models import User
from assignments.models import Assignment, Lab
from courses.models import Enrollment
from courses.pages import StateChip
from grading.models import GradeReport, GradingJob
from reviews.regrades.querysets import LabRegradeQuerySet, ScoreChangeQuerySet
from submissions.models import Submission


class Scope(models.TextChoices):
    """Which attempts run again."""

    COUNTING = "counting", "The attempt that counts, of each student"
    ALL = "all", "All attempts of all students"


class LabRegrade(models.Model):
    """One regrade: a dry run under `lab` until it is applied or discarded; an applied one may be reverted, once.

    While it is applied, the reports of its jobs count. Nothing else changes hands, so taking that back brings back every score.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="regrades")
    number = models.PositiveSmallIntegerField(help_text="1, 2, … for this assignment.")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="regrades")
    scope = models.CharField(max_length=8, choices=Scope.choices)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    discarded_at = models.DateTimeField(null=True)
    discarded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    applied_at = models.DateTimeField(null=True)
    applied_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True, help_text="Students read it.")
    reverted_at = models.DateTimeField(null=True)
    reverted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revert_reason = models.TextField(blank=True, help_text="Students read it.")

    objects = LabRegradeQuerySet.as_manager()

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("assignment", "number"), name="one_regrade_a_number"),
            models.UniqueConstraint(
                fields=("assignment",), condition=Q(applied_at=None, discarded_at=None), name="one_open_regrade_a_lab"
            ),
            models.CheckConstraint(
                condition=Q(reverted_at=None) | Q(applied_at__isnull=False), name="reverted_after_applied"
            ),
        )

    def __str__(self) -> str:
        return f"Regrade {self.number} of {self.assignment}"

    @property
    def is_open(self) -> bool:
        """Whether it is still a dry run."""
        return self.applied_at is None and self.discarded_at is None

    @property
    def stands(self) -> bool:
        """Whether its reports count now."""
        return self.applied_at is not None and self.reverted_at is None

    @property
    def chip(self) -> StateChip:
        """Its state, the latest act first."""
        if self.reverted_at is not None:
            return StateChip("warn", "Reverted")
        if self.applied_at is not None:
            return StateChip("pass", "Applied")
        return StateChip("muted", "Discarded") if self.discarded_at is not None else StateChip("run", "Dry run", "eye")


class LabRegradeItem(models.Model):
    """One attempt that runs again. `before` is the report that counted when the regrade was applied."""

    regrade = models.ForeignKey(LabRegrade, on_delete=models.PROTECT, related_name="items")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="regrade_items")
    job = models.OneToOneField(GradingJob, on_delete=models.PROTECT, related_name="regrade_item")
    before = models.ForeignKey(GradeReport, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("regrade", "submission"), name="one_item_a_submission"),)

    def __str__(self) -> str:
        return f"{self.submission} in {self.regrade}"


class Act(models.TextChoices):
    """What changed the scores."""

    APPLIED = "applied", "Applied"
    REVERTED = "reverted", "Reverted"


class ScoreChange(models.Model):
    """What one act did to one student's score for the lab: as staff see it, and (`shown_…`) as the student sees it.

    `tells`: what the student sees is another number than before, so they hear of it; nobody else does.
    """

    regrade = models.ForeignKey(LabRegrade, on_delete=models.PROTECT, related_name="changes")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="score_changes")
    act = models.CharField(max_length=8, choices=Act.choices)
    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="+", help_text="Counts afterwards."
    )
    before = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    before_max = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    after = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    after_max = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    shown_before = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    shown_before_max = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    shown_after = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    shown_after_max = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    tells = models.BooleanField()
    mailed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="When the student took the notice off their first page.")

    objects = ScoreChangeQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("regrade", "enrollment", "act"), name="one_change_an_act"),)

    def __str__(self) -> str:
        return f"{self.before} → {self.after} for {self.enrollment_id} ({self.act})"

    @property
    def reason(self) -> str:
        """Why, in the words of who did it."""
        return self.regrade.reason if self.act == Act.APPLIED else self.regrade.revert_reason

    @property
    def at(self) -> datetime | None:
        """When it was done."""
        return self.regrade.applied_at if self.act == Act.APPLIED else self.regrade.reverted_at
