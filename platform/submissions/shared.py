"""Whose a submission is: one student's, or all its authors'. Read here by every page that names people or asks for their dates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Q, QuerySet

from assignments.due.rules import DueDate
from assignments.due.selectors import due_together
from submissions.models import Author, Submission


def is_of(enrollments: Collection[int] | QuerySet[Any, Any]) -> Q:
    """Submissions that are the work of any of these enrollments. Joins authors, so a submission may come more than once."""
    return Q(enrollment__in=enrollments) | Q(authors__enrollment__in=enrollments)


def people_of(submissions: Iterable[Submission]) -> dict[int, tuple[int, ...]]:
    """By submission id, the enrollments whose work it is. One query."""
    listed = {submission.pk: submission.enrollment_id for submission in submissions}
    authors = _authors(listed).values_list("submission_id", "enrollment_id")
    found: defaultdict[int, list[int]] = defaultdict(list)
    for submission, enrollment in authors:
        found[submission].append(enrollment)
    return {pk: tuple(found.get(pk) or (enrollment,)) for pk, enrollment in listed.items()}


def authors_of(submission: Submission) -> tuple[str, ...]:
    """The names of all whose work it is, by family name. One query, and the student's own where it is not shared."""
    names = _authors([submission.pk]).order_by("enrollment__user__sort_name", "pk")
    return tuple(names.values_list("enrollment__user__name", flat=True)) or (submission.enrollment.user.name,)


def names_of(submissions: Collection[int]) -> dict[int, str]:
    """By submission id, whose it is in words: "Ada Lindqvist", or "Team Kestrel: Ada Lindqvist, Kofi Mensah". Two queries."""
    authors: defaultdict[int, list[str]] = defaultdict(list)
    rows = _authors(submissions).order_by("enrollment__user__sort_name", "pk")
    for submission, name in rows.values_list("submission_id", "enrollment__user__name"):
        authors[submission].append(name)
    asked = (
        Submission.objects.filter(pk__in=submissions)
        .order_by()
        .values_list("pk", "shared_as", "enrollment__user__name")
    )
    return {pk: f"{team}: {', '.join(authors[pk])}" if team else student for pk, team, student in asked}


def due_of(submission: Submission, *, viewer: int | None = None) -> DueDate:
    """When the submission's assignment is due for those whose work it is, as `viewer`, one of them or nobody, may read it."""
    if not submission.is_shared:
        return submission.assignment.due_date_for(submission.enrollment)
    people = people_of([submission])[submission.pk]
    return due_together(submission.assignment, people, viewer=viewer)


def _authors(submissions: Collection[int]) -> QuerySet[Author]:
    return Author.objects.filter(submission__in=submissions)
