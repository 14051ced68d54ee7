"""Drafts, practice runs and submissions. Submissions are facts: nothing in the product changes or deletes one."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from assignments.models import Assignment
from config.outbox import Letter
from courses.models import Enrollment


class Draft(models.Model):
    """The editor's text, saved as the student types. `revision` grows by one with each save."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="drafts")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="drafts")
    cells = models.JSONField(default=dict, help_text="Source by cell key.")
    revision = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("assignment", "enrollment"), name="one_draft_a_student"),)

    def __str__(self) -> str:
        return f"Draft {self.revision} of {self.enrollment_id} for {self.assignment_id}"


class DraftVersion(models.Model):
    """A text that a draft was, or that one window wanted it to be while another had saved a newer one (`put_aside`)."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="versions")
    cells = models.JSONField(default=dict, help_text="Source by cell key.")
    revision = models.PositiveIntegerField(help_text="Of the draft; of a text put aside, the one that it met.")
    tab = models.CharField(max_length=40, blank=True, help_text="The window in which it was typed.")
    put_aside = models.BooleanField(default=False)
    began_at = models.DateTimeField(help_text="The first of the saves that it stands for.")
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Version {self.revision} of draft {self.draft_id}"


class Source(models.TextChoices):
    """How the files came."""

    EDITOR = "editor", "Editor"
    UPLOAD = "upload", "Upload"


class Submission(models.Model):
    """What a student handed in, at `created_at` by the server's clock. All attempts are kept."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="submissions")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="submissions")
    number = models.PositiveIntegerField(help_text="1, 2, … for this student and assignment.")
    created_at = models.DateTimeField()
    late = models.BooleanField(help_text="After the assignment's own due date; accepted by an extension.")
    sha256 = models.CharField(max_length=64, help_text="Of the canonical list of names, sizes and hashes.")
    source = models.CharField(max_length=6, choices=Source.choices)
    shared_as = models.CharField(
        max_length=80, blank=True, help_text="The team's name, where it is a team's work; as it was then."
    )
    client_token = models.CharField(  # noqa: DJ001 - NULLs are distinct, empty strings are not
        max_length=64, null=True, help_text="Makes a double click one attempt."
    )

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("assignment", "enrollment", "number"), name="one_submission_a_number"),
            models.UniqueConstraint(fields=("enrollment", "client_token"), name="one_submission_a_click"),
        )

    def __str__(self) -> str:
        return self.receipt_number

    @property
    def is_shared(self) -> bool:
        """Whether a team handed it in."""
        return bool(self.shared_as)

    @property
    def who(self) -> str:
        """Whose it is, in short: the team's name, or the student's."""
        return self.shared_as or self.enrollment.user.name

    @property
    def receipt_number(self) -> str:
        """As it is printed on the receipt and quoted in mails."""
        return f"#{self.pk}"


class AuthorQuerySet(models.QuerySet["Author"]):
    """Questions about who made what together."""

    def of_active_students(self) -> Self:
        """Of people who have not dropped. By joins: against a list of the class, each work would be looked up once a student."""
        return self.filter(enrollment__role="student", enrollment__dropped_at=None, enrollment__user__is_active=True)


class Author(models.Model):
    """One of the people whose work a project's submission is, as it stood when it was handed in; the one who pressed the button is one
    of them, and may be the only one. Labs and readings have no such rows: they are the enrollment's."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="authors")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="shared_work")

    objects = AuthorQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("submission", "enrollment"), name="one_author_a_person"),)

    def __str__(self) -> str:
        return f"{self.enrollment.user} of {self.submission}"


class SignedReceipt(Letter):
    """The receipt of a submission as it was signed with it, and whether it has been mailed.

    `mail_at` is when the sweeper sends it (again); empty: it has been sent, is not wanted, or was given up.
    """

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="signed_receipt")
    code = models.CharField(max_length=20, unique=True, help_text="Looks the receipt up at its short address.")
    text = models.TextField(help_text="The signed receipt, byte for byte.")

    def __str__(self) -> str:
        return f"Receipt {self.code}"


class PracticeRun(models.Model):
    """One press of *Run checks*: the public checks on unsubmitted work. It never counts."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="practice_runs")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="practice_runs")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Practice run {self.pk}"


class SubmittedFile(models.Model):
    """One file of a submission or of a practice run. The bytes lie in content-addressed storage."""

    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="files")
    practice_run = models.ForeignKey(PracticeRun, null=True, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(submission=None, practice_run__isnull=False)
                | Q(submission__isnull=False, practice_run=None),
                name="file_has_one_owner",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_pdf(self) -> bool:
        """Whether it was handed in as a PDF; that its bytes begin as one was checked then."""
        return self.name.lower().endswith(".pdf")
