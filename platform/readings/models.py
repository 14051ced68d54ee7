"""Papers and the reading list."""

from __future__ import annotations

from django.db import models

from assignments.models import Assignment
from readings.querysets import ReadingQuerySet


class Paper(models.Model):
    """A publication. Offerings share the row until one of them edits it; then that one has a row of its own."""

    title = models.CharField(max_length=300)
    authors = models.TextField(blank=True)
    venue = models.CharField(max_length=200, blank=True)
    year = models.PositiveSmallIntegerField(null=True)
    arxiv_id = models.CharField(max_length=20, blank=True)
    doi = models.CharField(max_length=120, blank=True)
    url = models.URLField(blank=True)
    topic_hint = models.CharField(max_length=80, blank=True, help_text="The topic or short name by which it is known.")

    def __str__(self) -> str:
        return self.title

    @property
    def link(self) -> str:
        """Where it can be read, or nothing. Whatever is stored, it leads to the web and is no script."""
        if self.arxiv_id:
            return f"https://arxiv.org/abs/{self.arxiv_id}"
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return self.url if self.url.startswith(("https://", "http://")) else ""


class Reading(models.Model):
    """A paper on the reading list of an offering; the due date is its assignment's."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="reading")
    paper = models.ForeignKey(Paper, on_delete=models.PROTECT, related_name="readings")
    position = models.PositiveSmallIntegerField()
    hidden = models.BooleanField(default=False)
    archived_at = models.DateTimeField(
        null=True, blank=True, help_text="Taken off the list then, and kept for its summaries."
    )

    objects = ReadingQuerySet.as_manager()

    class Meta:
        ordering = ("position", "pk")
        constraints = (
            # who asks for what is not hidden never meets an archived one
            models.CheckConstraint(
                condition=models.Q(archived_at=None) | models.Q(hidden=True), name="archived_is_hidden"
            ),
        )

    def __str__(self) -> str:
        return f"{self.position}. {self.paper}"
