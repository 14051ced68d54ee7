"""What moves a due date for one student: an extension of one assignment, or standing extra time on all. Both may be revoked."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.formats import date_format

from accounts.models import User
from assignments.due.querysets import AccommodationQuerySet, ExtensionQuerySet
from assignments.due.rules import ExtraTime, Unit
from courses.models import Enrollment

LONGEST_TEXT = 2000


class Grant(models.Model):
    """What both have in common. The reason is for staff; why it was revoked, the student reads."""

    reason = models.TextField()
    granted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    granted_at = models.DateTimeField(null=True, help_text="Empty: before this was kept.")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revoke_reason = models.TextField(blank=True, help_text="The student reads it.")

    class Meta:
        abstract = True


class Extension(Grant):
    """A later due date for one student at one assignment."""

    assignment = models.ForeignKey("assignments.Assignment", on_delete=models.CASCADE, related_name="extensions")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="extensions")
    due_at = models.DateTimeField()

    objects = ExtensionQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("assignment", "enrollment"), condition=Q(revoked_at=None), name="one_extension_a_student"
            ),
        )

    def __str__(self) -> str:
        return f"{self.enrollment.user}: {self.assignment} until {self.due_at}"


class Accommodation(Grant):
    """Standing extra time of one student, on every due date that it covers."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="accommodations")
    amount = models.PositiveSmallIntegerField()
    unit = models.CharField(max_length=7, choices=[(unit.value, unit.value) for unit in Unit])
    kinds = models.JSONField(default=list, blank=True, help_text="Kinds of work; empty: all of them.")
    first_on = models.DateField(null=True, help_text="For what is due to others from this day on.")
    last_on = models.DateField(null=True, help_text="And until this one, included.")

    objects = AccommodationQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="extra_time_is_some"),
            models.CheckConstraint(
                condition=Q(first_on=None) | Q(last_on=None) | Q(last_on__gte=models.F("first_on")),
                name="last_day_after_first",
            ),
        )

    def __str__(self) -> str:
        return f"{self.enrollment.user}: {self.extra_time} more"

    @property
    def extra_time(self) -> ExtraTime:
        """As the rules read it."""
        return ExtraTime(self.amount, Unit(self.unit), frozenset(self.kinds), self.first_on, self.last_on)

    @property
    def in_words(self) -> str:
        """What it gives, and where it holds: `2 days, for labs and readings, due from 1 Feb 2026`."""
        kinds = f", for {' and '.join(f'{kind}s' for kind in sorted(self.kinds))}" if self.kinds else ""
        since = f" from {date_format(self.first_on, 'j M Y')}" if self.first_on else ""
        until = f" until {date_format(self.last_on, 'j M Y')}" if self.last_on else ""
        return f"{self.extra_time}{kinds}{', due' if since or until else ''}{since}{until}"
