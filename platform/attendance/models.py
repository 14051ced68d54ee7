"""Who was in class, who took part, and by which rule that becomes a part of the grade."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db import models
from django.db.models import F, Q

from accounts.models import User
from attendance.querysets import CheckInWindowQuerySet, ParticipationPointQuerySet
from attendance.rule import Rule
from courses.models import Enrollment, Offering, Session


class AttendanceRules(models.Model):
    """How an offering turns attendance and participation into a percentage."""

    offering = models.OneToOneField(Offering, on_delete=models.CASCADE, related_name="attendance_rules")
    free_absences = models.PositiveSmallIntegerField(default=2, help_text="Absences that cost nothing.")
    participation_share = models.PositiveSmallIntegerField(
        default=0, help_text="Percent of the component that participation points make; attendance makes the rest."
    )
    participation_target = models.DecimalField(
        max_digits=6, decimal_places=2, default=Decimal(10), help_text="Points that give the whole of that share."
    )
    code_every_s = models.PositiveSmallIntegerField(default=20, help_text="How often the code on the screen changes.")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(participation_share__lte=100), name="participation_share_in_range"),
            models.CheckConstraint(condition=Q(participation_target__gt=0), name="participation_target_is_some"),
            models.CheckConstraint(condition=Q(code_every_s__gte=5), name="code_lasts_some_seconds"),
        )

    def __str__(self) -> str:
        return f"{self.free_absences} free absences"

    @property
    def rule(self) -> Rule:
        """What of it decides scores."""
        return Rule(self.free_absences, self.participation_share, Fraction(self.participation_target))


class CheckInWindow(models.Model):
    """A stretch of a session in which students check in by the code that the instructor's screen shows."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="check_in_windows")
    secret = models.CharField(max_length=64, help_text="Makes the codes; never leaves the server.")
    every_s = models.PositiveSmallIntegerField(help_text="How long a code lasts.")
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    closes_at = models.DateTimeField()

    objects = CheckInWindowQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (models.CheckConstraint(condition=Q(closes_at__gte=F("opened_at")), name="window_in_order"),)

    def __str__(self) -> str:
        return f"Check-in of {self.session}"

    def is_open(self, moment: datetime) -> bool:
        """Whether a code is taken at this moment."""
        return self.opened_at <= moment < self.closes_at


class Presence(models.TextChoices):
    """How a student stands in one session in which attendance was taken; without a row: absent."""

    PRESENT = "present", "Present"
    ABSENT = "absent", "Absent"
    EXCUSED = "excused", "Excused"


class LeftOut(models.Model):
    """A session that counts for nobody, such as a cancelled class. What was recorded in it stays; with the row gone it counts again."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="left_out")
    reason = models.TextField(help_text="Students read it.")
    left_out_at = models.DateTimeField()
    left_out_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"{self.session}, left out"


class Attendance(models.Model):
    """One student in one session. By a code, or by staff with a reason."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="attendances")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="attendances")
    presence = models.CharField(max_length=8, choices=Presence.choices)
    window = models.ForeignKey(CheckInWindow, null=True, on_delete=models.SET_NULL, related_name="attendances")
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True, help_text="Of what staff set; the student reads it.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("session", "enrollment"), name="one_attendance_a_student"),)

    def __str__(self) -> str:
        return f"{self.enrollment.user}: {self.presence}"


class ParticipationPoint(models.Model):
    """Points for taking part. What was withdrawn counts no more."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="participation")
    session = models.ForeignKey(Session, null=True, on_delete=models.SET_NULL, related_name="participation")
    points = models.DecimalField(max_digits=6, decimal_places=2)
    reason = models.CharField(max_length=300)
    given_at = models.DateTimeField()
    given_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = ParticipationPointQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (models.CheckConstraint(condition=Q(points__gt=0), name="participation_points_are_some"),)

    def __str__(self) -> str:
        return f"{self.points} for {self.enrollment.user}"
