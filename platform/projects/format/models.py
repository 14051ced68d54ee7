"""Format checks: one a submitted PDF. The row is the outbox, as a grading job is; a sweeper drives those that wait again."""

from __future__ import annotations

from enum import StrEnum

from django.db import models

from grader import contract
from projects.format.querysets import FormatCheckQuerySet
from submissions.models import SubmittedFile


class State(StrEnum):
    """How far a check is. A refused PDF is one that cannot be read; a failed check is our fault."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"


class FormatCheck(models.Model):
    """What a PDF was found to look like. Its state is read from its timestamps; only the holder of the latest fence may write."""

    file = models.OneToOneField(SubmittedFile, on_delete=models.PROTECT, related_name="format_check")
    requested_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, help_text="When a message was last sent for it.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True, help_text="By our fault, so often that it is not tried again.")
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="How many workers have taken it.")
    faults = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, help_text="For staff.")
    refusal = models.TextField(blank=True, help_text="Why the PDF cannot be read, for its authors.")
    data = models.TextField(blank=True, help_text="The report, as JSON.")

    objects = FormatCheckQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Format of {self.file}"

    @property
    def state(self) -> State:
        """By its timestamps."""
        if self.finished_at is not None:
            return State.REFUSED if self.refusal else State.FINISHED
        if self.failed_at is not None:
            return State.FAILED
        return State.WAITING if self.started_at is None else State.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state not in {State.WAITING, State.RUNNING}

    @property
    def report(self) -> contract.FormatReport | None:
        """What was found, once it was."""
        return contract.FormatReport.from_json(self.data) if self.data else None


class PagePicture(models.Model):
    """A page as a picture, in the store of submitted files."""

    check_of = models.ForeignKey(FormatCheck, on_delete=models.CASCADE, related_name="pictures")
    page = models.PositiveSmallIntegerField(help_text="From 1.")
    sha256 = models.CharField(max_length=64, db_index=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        ordering = ("page",)
        constraints = (models.UniqueConstraint(fields=("check_of", "page"), name="one_picture_a_page"),)

    def __str__(self) -> str:
        return f"Page {self.page}"
