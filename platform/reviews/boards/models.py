"""Boards of best results: who is on one and under which name, our own runs of their work, and what these measured."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.models import User
from assignments.models import Assignment, Lab
from courses.models import Enrollment
from grading.models import GradingJob
from submissions.models import Submission

LONGEST_NAME = 24


class BoardMember(models.Model):
    """A student who chose to be on the boards of a lab, under a name of their own. Leaving deletes the row and what hangs on it."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="board_members")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="board_names")
    name = models.CharField(max_length=LONGEST_NAME)
    joined_at = models.DateTimeField()
    hidden_at = models.DateTimeField(null=True, help_text="By staff: from then on nobody else sees the name.")
    hidden_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    hidden_reason = models.TextField(blank=True, help_text="The student reads it.")

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("assignment", "enrollment"), name="one_board_name_a_student"),
            models.UniqueConstraint("assignment", Lower("name"), name="board_names_differ"),
            models.CheckConstraint(
                condition=Q(hidden_at=None, hidden_by=None) | Q(hidden_at__isnull=False, hidden_by__isnull=False),
                name="who_hid_a_board_name_is_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} on the boards of {self.assignment}"


class BoardProof(models.Model):
    """A member's submission under one version of the lab, looked at once.

    `job` is our own run of it on inputs that nobody has seen; none where its report promised nothing better than what is proved.
    """

    member = models.ForeignKey(BoardMember, on_delete=models.CASCADE, related_name="proofs")
    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="board_proofs")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="+")
    job = models.OneToOneField(GradingJob, null=True, on_delete=models.PROTECT, related_name="board_proof")
    looked_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, help_text="When the run had ended and its results were taken over.")

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("submission", "lab"), name="one_proof_a_submission_and_version"),
        )

    def __str__(self) -> str:
        return f"Proof of {self.submission}"


class BoardResult(models.Model):
    """What our run measured in one check, with its interval. `less_is_better` as the check's curve has it."""

    proof = models.ForeignKey(BoardProof, on_delete=models.CASCADE, related_name="results")
    check_name = models.CharField(max_length=300)
    what = models.CharField(max_length=300)
    unit = models.CharField(max_length=40, blank=True)
    value = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    samples = models.PositiveIntegerField()
    less_is_better = models.BooleanField()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("proof", "check_name"), name="one_result_a_proof_and_check"),)

    def __str__(self) -> str:
        return f"{self.value:.3g} {self.unit} in {self.check_name}"
