"""What other systems are told and what came from them: columns of Canvas, and points that were given elsewhere."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from courses.models import Offering
from gradebook.models import Decision


class CanvasColumn(models.Model):
    """A column of the course's gradebook in Canvas, and which number of ours belongs into it.

    `key` is a part of the grade, `component:` and its kind, or `final`; empty: none. `title` is what stands before the ID, as in
    `Lab 1 (4711)`.
    """

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="canvas_columns")
    canvas_id = models.CharField(max_length=30)
    title = models.CharField(max_length=300)
    key = models.CharField(max_length=120, blank=True)
    points = models.DecimalField(
        max_digits=9,
        decimal_places=2,
        null=True,
        help_text="What it is out of in Canvas; empty: its export did not say.",
    )
    values = models.JSONField(default=dict, help_text="What Canvas had when it was read, by the id of the enrollment.")
    read_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("offering", "canvas_id"), name="one_canvas_column_an_id"),
            models.UniqueConstraint(fields=("offering", "key"), condition=~Q(key=""), name="one_canvas_column_a_key"),
        )

    def __str__(self) -> str:
        return self.header

    @property
    def header(self) -> str:
        """As Canvas writes it."""
        return f"{self.title} ({self.canvas_id})"


class PointsImport(models.Model):
    """Points that another system gave, taken over as one act, and withdrawn as one."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="points_imports")
    source = models.CharField(max_length=300, help_text="The system and the file.")
    reason = models.TextField(blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Points of {self.source}"


class ImportedPoints(models.Model):
    """One decision of an import, and the one that it replaced, which stands again when the import is withdrawn."""

    points_import = models.ForeignKey(PointsImport, on_delete=models.CASCADE, related_name="items")
    decision = models.OneToOneField(Decision, on_delete=models.CASCADE, related_name="imported")
    replaced = models.ForeignKey(Decision, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return str(self.decision)
