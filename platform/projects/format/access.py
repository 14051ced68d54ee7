"""Who may see what a PDF looks like: whoever may see the submission that it is of. To try again is for staff."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from projects.format.models import FormatCheck, PagePicture
from submissions.access import SubmissionAccess, get_staff_submission_for, get_submission_for


def get_check_for(user: User, pk: int, file_pk: int) -> tuple[SubmissionAccess, FormatCheck]:
    """The check of a submission's file; raises `Http404` for strangers, and where there is none."""
    access = get_submission_for(user, pk)
    return access, _check(access, file_pk)


def get_check_for_staff(user: User, pk: int, file_pk: int) -> FormatCheck:
    """The same, for staff alone."""
    return _check(get_staff_submission_for(user, pk), file_pk)


def get_picture_for(user: User, pk: int, file_pk: int, page: int) -> PagePicture:
    """A page's picture, for those who may see the check."""
    _, check = get_check_for(user, pk, file_pk)
    picture = check.pictures.filter(page=page).first()
    if picture is None:
        raise Http404("There is no picture of that page.")
    return picture


def _check(access: SubmissionAccess, file_pk: int) -> FormatCheck:
    checks = FormatCheck.objects.select_related("file").filter(file__submission=access.submission)
    check = checks.filter(file=file_pk).first()
    if check is None:
        raise Http404("The format of this file was not looked at.")
    return check
