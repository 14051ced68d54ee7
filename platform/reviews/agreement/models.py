"""Both readings of a submission as they were made, and the texts that all graders calibrate on."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import models

from accounts.models import User
from courses.pages import StateChip
from submissions.models import Submission

CORRECTIONS = timedelta(minutes=15)  # in which readers may still correct themselves, and see nothing of each other
APART_ITEM, APART_WHOLE = Decimal(2), Decimal(3)  # points from which two readings are far apart


class Outcome(models.TextChoices):
    """What an instructor made of two readings."""

    FIRST = "first", "The first reading stands"
    SECOND = "second", "The second reading is adopted"
    SETTLED = "settled", "Other marks are set"


class DoubleReading(models.Model):
    """Both readings of one submission, kept for the comparison whatever becomes of the score afterwards."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="double_reading")
    first_grader = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    second_grader = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    first_comment = models.TextField(blank=True)
    second_comment = models.TextField(blank=True)
    read_at = models.DateTimeField(db_index=True, help_text="When both were there.")
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True)
    reason = models.TextField(blank=True)
    settled_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Both readings of {self.submission_id}"

    def is_fixed(self, now: datetime) -> bool:
        """Whether corrections count no more; from then on the two readers may look at it."""
        return bool(self.outcome) or now >= self.read_at + CORRECTIONS

    @property
    def chip(self) -> StateChip:
        """Whether an instructor has decided, and how far apart the readings are."""
        if self.outcome:
            return StateChip("pass", "Settled")
        return StateChip("warn", "Far apart") if self.is_far_apart else StateChip("muted", "Close", "equal")

    @property
    def difference(self) -> Decimal:
        """Points by which the second reading is above the first."""
        return sum((mark.difference for mark in self.marks.all()), Decimal(0))

    @property
    def widest(self) -> Decimal:
        """The largest difference on one item, without its sign."""
        return max((abs(mark.difference) for mark in self.marks.all()), default=Decimal(0))

    @property
    def is_far_apart(self) -> bool:
        """Whether an instructor should look: 2 points or more on an item, or 3 in all."""
        return self.widest >= APART_ITEM or abs(self.difference) >= APART_WHOLE


class DoubleMark(models.Model):
    """One item in both readings."""

    reading = models.ForeignKey(DoubleReading, on_delete=models.CASCADE, related_name="marks")
    item = models.ForeignKey("reviews.RubricItem", on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    points = models.DecimalField(max_digits=7, decimal_places=2)
    first = models.DecimalField(max_digits=7, decimal_places=2)
    second = models.DecimalField(max_digits=7, decimal_places=2)
    first_comment = models.TextField(blank=True)
    second_comment = models.TextField(blank=True)

    class Meta:
        ordering = ("item__position", "pk")
        constraints = (models.UniqueConstraint(fields=("reading", "item"), name="one_double_mark_an_item"),)

    def __str__(self) -> str:
        return f"{self.title}: {self.first} and {self.second} of {self.points}"

    @property
    def difference(self) -> Decimal:
        """Points by which the second mark is above the first."""
        return self.second - self.first


class CalibrationText(models.Model):
    """A submission that all graders read before they grade. The marks to compare with are those of who chose it."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="calibration")
    chosen_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Calibration on {self.submission_id}"
