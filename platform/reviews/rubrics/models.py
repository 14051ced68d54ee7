"""What was changed about rubrics, which marks that changed with them, and the comments that graders use again."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from courses.pages import StateChip
from reviews.marking.models import Review
from reviews.rubrics.querysets import BankCommentQuerySet


class RubricChange(models.Model):
    """One act: the rubrics of one or several assignments saved together, and their marks re-applied or left.

    It is reverted as one, once, and only while nothing else changed those rubrics and marks.
    """

    made_at = models.DateTimeField()
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reapplied = models.BooleanField(help_text="Whether the marks that stood then took the new points.")
    reason = models.TextField(blank=True)
    reverted_at = models.DateTimeField(null=True)
    reverted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Rubric change {self.pk}"

    @property
    def chip(self) -> StateChip:
        """Its state."""
        if self.reverted_at is not None:
            return StateChip("warn", "Reverted")
        return StateChip("pass", "Re-applied") if self.reapplied else StateChip("muted", "Scores left", "equal")


class RubricEdit(models.Model):
    """What the act did to one rubric: `before` and `after` as JSON, whole, and the rubric's revision afterwards."""

    change = models.ForeignKey(RubricChange, on_delete=models.CASCADE, related_name="edits")
    rubric = models.ForeignKey("reviews.Rubric", on_delete=models.CASCADE, related_name="edits")
    revision = models.PositiveIntegerField()
    before = models.TextField()
    after = models.TextField()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("change", "rubric"), name="one_edit_a_rubric"),)

    def __str__(self) -> str:
        return f"{self.rubric}, revision {self.revision}"


class MarkChange(models.Model):
    """What the act did to one mark. `revision` is the review's afterwards: another one means that it was saved since."""

    edit = models.ForeignKey(RubricEdit, on_delete=models.CASCADE, related_name="marks")
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="mark_changes")
    item = models.ForeignKey("reviews.RubricItem", on_delete=models.CASCADE, related_name="mark_changes")
    revision = models.PositiveIntegerField()
    title_before = models.CharField(max_length=200)
    title_after = models.CharField(max_length=200)
    points_before = models.DecimalField(max_digits=7, decimal_places=2)
    points_after = models.DecimalField(max_digits=7, decimal_places=2)
    score_before = models.DecimalField(max_digits=7, decimal_places=2)
    score_after = models.DecimalField(max_digits=7, decimal_places=2)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("edit", "review", "item"), name="one_mark_change_an_item"),)

    def __str__(self) -> str:
        return f"{self.title_after}: {self.score_before} → {self.score_after}"


class BankComment(models.Model):
    """A comment on an item that graders use again. One that was removed stays where it was used."""

    item = models.ForeignKey("reviews.RubricItem", on_delete=models.CASCADE, related_name="bank_comments")
    text = models.TextField()
    used = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    objects = BankCommentQuerySet.as_manager()

    class Meta:
        ordering = ("-used", "pk")

    def __str__(self) -> str:
        return self.text
