"""A student's request for another look at a score, and what came of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from courses.models import Enrollment
from courses.pages import StateChip
from reviews.requests.querysets import RegradeRequestQuerySet
from submissions.models import Submission


class RequestStatus(models.TextChoices):
    """Where a request stands."""

    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"
    WITHDRAWN = "withdrawn", "Withdrawn"


class RegradeRequest(models.Model):
    """One request about the score of one submission; of a submission one is open at most.

    Until it is answered, `score_before` is the score as the student saw it when they asked; then it is what the answer found.
    `grader_before` is who gave that score; nobody where the checks did.
    """

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="regrade_requests")
    item = models.ForeignKey("reviews.RubricItem", null=True, on_delete=models.SET_NULL, related_name="+")
    item_title = models.CharField(max_length=200, blank=True, help_text="Copied; empty: the whole score.")
    asked_by = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="regrade_requests")
    reason = models.TextField()
    asked_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=RequestStatus.choices, default=RequestStatus.OPEN)
    withdrawn_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    answer = models.TextField(blank=True, help_text="The student reads it.")
    answered_at = models.DateTimeField(null=True)
    score_before = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    score_after = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    grader_before = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    mailed_at = models.DateTimeField(null=True)

    objects = RegradeRequestQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("submission",), condition=Q(status="open"), name="one_open_request_a_score"
            ),
            models.CheckConstraint(
                condition=Q(status="answered", answered_at__isnull=False)
                | Q(status="withdrawn", withdrawn_at__isnull=False, answered_at=None)
                | Q(status="open", withdrawn_at=None, answered_at=None),
                name="request_status_has_its_moment",
            ),
        )

    def __str__(self) -> str:
        return f"Regrade request {self.pk} for {self.submission}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.status == RequestStatus.OPEN

    @property
    def changed(self) -> bool:
        """Whether the answer changed the score."""
        return self.status == RequestStatus.ANSWERED and self.score_after != self.score_before

    @property
    def about(self) -> str:
        """The item, or the whole score."""
        return self.item_title or "The whole score"

    @property
    def chip(self) -> StateChip:
        """Its state for a list."""
        if self.is_open:
            return StateChip("run", "Open", "clock")
        if self.status == RequestStatus.WITHDRAWN:
            return StateChip("muted", "Withdrawn", "undo-2")
        return StateChip("pass", "Score changed") if self.changed else StateChip("muted", "Score kept", "check")
