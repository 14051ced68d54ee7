"""Pairs of similar texts with what staff made of them, and the search of each assignment."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import User
from assignments.models import Assignment
from courses.pages import StateChip
from reviews.similar.querysets import SimilarSearchQuerySet
from submissions.models import Submission


class Status(models.TextChoices):
    """What staff made of a pair. None of them changes a score."""

    OPEN = "open", "Open"
    FINE = "fine", "Fine"
    FOLLOWED_UP = "followed up", "Followed up"


class SimilarSearch(models.Model):
    """The search of one assignment: when staff asked for it, when it ended, and text that counts against nobody."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="similar_search")
    quotable = models.TextField(blank=True, help_text="What everybody may quote: the paper's abstract, for instance.")
    asked_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True, help_text="A search that did not end is begun again after a while.")
    searched_at = models.DateTimeField(null=True)
    texts = models.PositiveIntegerField(default=0, help_text="Of this assignment, in the latest search.")
    earlier = models.PositiveIntegerField(default=0, help_text="Of the same work in other offerings.")
    unread = models.PositiveIntegerField(default=0, help_text="Without text to compare: a PDF, for instance.")

    objects = SimilarSearchQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Search of {self.assignment}"

    @property
    def is_waiting(self) -> bool:
        """Whether staff asked for a search that has not ended."""
        return self.asked_at is not None and (self.searched_at is None or self.searched_at < self.asked_at)


class SimilarPair(models.Model):
    """Two submissions of different people that share long passages; the one handed in first is `first`.

    `passages` holds, for each side, the places of the shared passages in each of its texts, as they were found.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="similar_pairs")
    first = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    share = models.FloatField(help_text="Of the shorter text's runs of five words, how many the other one has.")
    jaccard = models.FloatField(help_text="Shared runs of all runs of both.")
    passages = models.JSONField(default=dict)
    found_at = models.DateTimeField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    note = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-share", "pk")
        constraints = (
            models.UniqueConstraint(fields=("assignment", "first", "second"), name="one_similar_pair"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="first_was_handed_in_first"),
        )

    def __str__(self) -> str:
        return f"{self.share:.0%} of {self.first_id} and {self.second_id}"

    @property
    def chip(self) -> StateChip:
        """The status as icon, word and colour."""
        return {
            Status.OPEN: StateChip("warn", "Open", "circle-dashed"),
            Status.FINE: StateChip("pass", "Fine"),
            Status.FOLLOWED_UP: StateChip("run", "Followed up", "flag"),
        }[Status(self.status)]
