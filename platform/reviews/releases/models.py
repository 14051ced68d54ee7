"""Releases, the submissions whose scores they show, and the mails that tell of them."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from accounts.models import User
from assignments.models import Assignment
from config.outbox import Letter
from courses.models import Enrollment
from courses.pages import StateChip
from reviews.releases.querysets import ReleaseMailQuerySet, ReleaseQuerySet
from submissions.models import Submission


class Release(models.Model):
    """One act of showing scores. Until `final_at` it can be undone and nobody is told; after that, taken back with a reason."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="releases")
    released_at = models.DateTimeField()
    released_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    final_at = models.DateTimeField(help_text="From then on students are told, and it can no longer be undone.")
    opened = models.BooleanField(
        default=False, help_text="The assignment's first one that stands; of a lab it shows what hidden checks found."
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    retracted_at = models.DateTimeField(null=True)
    retracted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    retract_reason = models.TextField(blank=True, help_text="Students read it.")

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=Q(undone_at=None) | Q(retracted_at=None), name="undone_or_retracted"),
        )

    def __str__(self) -> str:
        return f"Release of {self.assignment} at {self.released_at}"

    @property
    def stands(self) -> bool:
        """Whether students see what it released."""
        return self.undone_at is None and self.retracted_at is None

    def can_be_undone(self, now: datetime) -> bool:
        """Whether nobody has been told yet."""
        return self.stands and now < self.final_at

    @property
    def chip(self) -> StateChip:
        """Its state, the latest act first."""
        if self.retracted_at is not None:
            return StateChip("warn", "Taken back")
        return StateChip("muted", "Undone", "undo-2") if self.undone_at is not None else StateChip("pass", "Released")


class ReleaseItem(models.Model):
    """A submission whose score the release shows."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="items")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="release_items")

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("release", "submission"), name="one_release_item"),)

    def __str__(self) -> str:
        return f"{self.submission} in {self.release_id}"


class News(models.TextChoices):
    """What a mail tells."""

    RELEASED = "released", "Released"
    RETRACTED = "retracted", "Taken back"


class ReleaseMail(Letter):
    """One mail to one student. `mail_at` is when the sweeper sends it (again); empty: sent, not wanted any more, or given up."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="mails")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="release_mails")
    news = models.CharField(max_length=9, choices=News.choices, default=News.RELEASED)

    objects = ReleaseMailQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("release", "enrollment", "news"), name="one_mail_a_student"),)

    def __str__(self) -> str:
        return f"{self.get_news_display()}: {self.enrollment_id}"
