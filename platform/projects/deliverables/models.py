"""Deliverables: assignments of a project. Whose work a submission is stands in `submissions.Author`, as it was at that moment."""

from __future__ import annotations

from django.db import models

from assignments.models import Assignment
from projects.teams.models import Team
from submissions.models import Submission


class Stage(models.TextChoices):
    """Which part of the project; also the kind of the component of the grade that it makes."""

    PROPOSAL = "proposal", "Proposal"
    MIDTERM = "midterm", "Mid-term report"
    PRESENTATION = "presentation", "Final presentation"
    FINAL = "final", "Final report"


class Style(models.TextChoices):
    """What a PDF of it is held against."""

    NEURIPS_2020 = "neurips-2020", "NeurIPS 2020"
    SLIDES = "slides", "Slides"
    FREE = "free", "No style"


class Deliverable(models.Model):
    """What a project's assignment asks for."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="deliverable")
    stage = models.CharField(max_length=12, choices=Stage.choices)
    style = models.CharField(max_length=12, choices=Style.choices, default=Style.FREE)
    pages_from = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Content pages; empty: no limit.")
    pages_to = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Without references and appendix.")
    instructions = models.TextField(blank=True, help_text="Markdown; students read it.")

    class Meta:
        ordering = ("assignment__number",)

    def __str__(self) -> str:
        return f"{self.get_stage_display()} of {self.assignment.offering_id}"


class TeamSubmission(models.Model):
    """The team that handed a submission in."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="team_submission")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="submissions")

    def __str__(self) -> str:
        return f"{self.submission} of {self.team}"


class SubmissionLink(models.Model):
    """A repository that was named with a submission. The server never fetches it."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="link")
    url = models.CharField(max_length=500)

    def __str__(self) -> str:
        return self.url

    @property
    def href(self) -> str:
        """Where it leads, or nothing. Whatever is stored, it leads to the web and is no script."""
        return self.url if self.url.startswith(("https://", "http://")) else ""
