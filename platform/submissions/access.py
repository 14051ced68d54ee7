"""Who may see a submission: its student or its authors, and the staff of its offering."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from accounts.models import User
from courses.models import Enrollment
from submissions.models import SignedReceipt, Submission, SubmittedFile


@dataclass(frozen=True)
class SubmissionAccess:
    """A submission, and the enrollment by which the viewer sees it."""

    submission: Submission
    viewer: Enrollment

    @property
    def is_own(self) -> bool:
        """Whether it is the viewer's own work, alone or with others. One query at most."""
        submission, viewer = self.submission, self.viewer
        return viewer.pk == submission.enrollment_id or submission.authors.filter(enrollment=viewer).exists()


def get_submission_for(user: User, pk: int) -> SubmissionAccess:
    """The submission for its student or for staff of its offering; raises `Http404` for everyone else."""
    submission = (
        Submission.objects.select_related("assignment__lab", "assignment__offering__course", "enrollment__user")
        .filter(pk=pk)
        .first()
    )
    if submission is None:
        raise Http404("There is no such submission.")
    viewer = viewer_of(user, submission.enrollment, *submission.authors.values_list("enrollment_id", flat=True))
    return SubmissionAccess(submission, viewer)


def get_staff_submission_for(user: User, pk: int) -> SubmissionAccess:
    """The submission for staff of its offering; raises `Http404` for everyone else, its student included."""
    access = get_submission_for(user, pk)
    if not access.viewer.is_staff:
        raise Http404("This is for course staff.")
    return access


def get_file_for(user: User, pk: int, file_pk: int) -> SubmittedFile:
    """One file of a submission that the person may see."""
    access = get_submission_for(user, pk)
    file = access.submission.files.filter(pk=file_pk).first()
    if file is None:
        raise Http404("This submission has no such file.")
    return file


def get_pdf_for(user: User, pk: int, file_pk: int) -> SubmittedFile:
    """The same, for what may be shown in the browser."""
    file = get_file_for(user, pk, file_pk)
    if not file.is_pdf:
        raise Http404("This is no PDF. Download it instead.")
    return file


def get_receipt_for(user: User, pk: int) -> SignedReceipt:
    """The signed receipt of a submission that the person may see."""
    access = get_submission_for(user, pk)
    receipt = SignedReceipt.objects.filter(submission=access.submission).first()
    if receipt is None:
        raise Http404("This submission was accepted before receipts were signed.")
    return receipt


def viewer_of(user: User, owner: Enrollment, *authors: int) -> Enrollment:
    """The enrollment by which `user` sees what `owner` and the enrollments `authors` made; raises `Http404` when there is none."""
    viewer = (
        Enrollment.objects.active()
        .select_related("offering__course", "user")
        .filter(user=user, offering_id=owner.offering_id)
        .first()
    )
    if viewer is None or not (viewer.is_staff or viewer.pk in {owner.pk, *authors}):
        raise Http404("There is no such submission.")
    return viewer
