"""Who may compare and override: the same people who may see the submission, and its staff."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Kind
from reviews.models import RubricItem
from submissions.access import SubmissionAccess, get_staff_submission_for, get_submission_for


def get_pair_for(user: User, pk: int, other: int) -> tuple[SubmissionAccess, SubmissionAccess]:
    """Two attempts of one student at one assignment; raises `Http404` for any other pair."""
    first, second = get_submission_for(user, pk), get_submission_for(user, other)
    same = (
        first.submission.assignment.kind != Kind.DELIVERABLE  # a PDF is not compared
        and first.submission.enrollment_id == second.submission.enrollment_id
        and first.submission.assignment_id == second.submission.assignment_id
    )
    if not same or pk == other:
        raise Http404("These are not two attempts of one student at one assignment.")
    return first, second


def get_staff_lab_submission_for(user: User, pk: int) -> SubmissionAccess:
    """A submission that checks grade, for staff; other work has no checks to run and no scores in place of a report's."""
    access = get_staff_submission_for(user, pk)
    if access.submission.assignment.kind != Kind.LAB:
        raise Http404("There are no checks for this submission.")
    return access


def get_item_for(user: User, pk: int, item_pk: str) -> tuple[SubmissionAccess, RubricItem]:
    """A submission and an item of its rubric, for staff."""
    access = get_staff_lab_submission_for(user, pk)
    items = RubricItem.objects.filter(rubric__assignment=access.submission.assignment)
    item = items.filter(pk=int(item_pk)).first() if item_pk.isdecimal() else None
    if item is None:
        raise Http404("The rubric has no such item.")
    return access, item
