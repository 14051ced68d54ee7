"""Reviews, their marks, and who holds which submission while reading it."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import User
from reviews.marking.querysets import ClaimQuerySet, ReviewQuerySet, StandingAdjustments
from submissions.models import Submission


class Purpose(models.TextChoices):
    """What a review is for: the first one is the score; the others are compared with it and never count.

    Every grader has a calibration reading of their own; of the first and the second there is one.
    """

    FIRST = "first", "First reading"
    SECOND = "second", "Second reading"
    CALIBRATION = "calibration", "Calibration"


class Review(models.Model):
    """One grader's marks of one submission, as saved. `revision` grows by one with each save."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="reviews")
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.FIRST)
    grader = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    comment = models.TextField(blank=True, help_text="The student reads it from the release on.")
    staff_note = models.TextField(blank=True)
    flagged = models.BooleanField(default=False, help_text="Someone else should look at it too.")
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()
    spent_s = models.PositiveIntegerField(default=0, help_text="Between opening and saving, in seconds.")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("submission", "purpose"), condition=~Q(purpose="calibration"), name="one_review_a_purpose"
            ),
            models.UniqueConstraint(
                fields=("submission", "grader"), condition=Q(purpose="calibration"), name="one_calibration_a_grader"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} of {self.submission}"


class Mark(models.Model):
    """The points of one rubric item in a review. Title and points are copied: the rubric may change later."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="marks")
    item = models.ForeignKey("reviews.RubricItem", on_delete=models.PROTECT, related_name="marks")
    title = models.CharField(max_length=200)
    points = models.DecimalField(max_digits=7, decimal_places=2)
    score = models.DecimalField(max_digits=7, decimal_places=2)
    level_key = models.CharField(  # noqa: DJ001 - no level is not a level without a key
        max_length=1, null=True, help_text="Of the level that was given; empty for points beside the levels."
    )
    comment = models.TextField(blank=True, help_text="The student reads it from the release on.")

    class Meta:
        ordering = ("item__position", "pk")
        constraints = (
            models.UniqueConstraint(fields=("review", "item"), name="one_mark_an_item"),
            models.CheckConstraint(condition=Q(score__gte=0), name="mark_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.score} of {self.points} for {self.title}"


class Adjustment(models.Model):
    """Points added to or taken from the marks of a submission as a whole, with a reason that the student reads.

    One that was withdrawn counts no more: `objects`, and so `submission.adjustments`, holds those that stand; `ever` holds all.
    """

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="adjustments")
    points = models.DecimalField(max_digits=7, decimal_places=2, default=Decimal(0))
    reason = models.TextField()
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = StandingAdjustments()
    ever = models.Manager["Adjustment"]()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.points:+} on {self.submission}: {self.reason}"


class Claim(models.Model):
    """A grader reads a submission until `until`; a lease that ran out may be taken by anyone."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="claims")
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.FIRST)
    grader = models.ForeignKey(User, on_delete=models.CASCADE, related_name="claims")
    taken_at = models.DateTimeField()
    until = models.DateTimeField()

    objects = ClaimQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("submission", "purpose"), name="one_claim_a_purpose"),)

    def __str__(self) -> str:
        return f"{self.grader} reads {self.submission} until {self.until}"
