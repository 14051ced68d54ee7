"""What is released: asked by every page that shows a student a score by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from assignments.models import Assignment
from config import clock
from reviews.releases.models import Release, ReleaseItem
from submissions.models import Submission

STANDS = {"release__undone_at": None, "release__retracted_at": None}


def released_since(submissions: Iterable[Submission]) -> dict[int, datetime]:
    """By submission id, since when its student sees the score; one whose score is hidden is not in it. Three queries."""
    assignments = {submission.pk: submission.assignment_id for submission in submissions}
    items = ReleaseItem.objects.filter(submission__in=assignments, **STANDS).order_by()
    found = dict(items.values_list("submission_id", "release__released_at"))
    whole = wholly_released(assignments.values())
    return {pk: whole[assignment] for pk, assignment in assignments.items() if assignment in whole} | found


def wholly_released(assignment_ids: Iterable[int]) -> dict[int, datetime]:
    """Assignments whose every score is shown since a moment: those that were released without a list of submissions. Two queries."""
    wanted = set(assignment_ids)
    listed = set(Release.objects.filter(assignment__in=wanted).order_by().values_list("assignment_id", flat=True))
    shown = Assignment.objects.filter(pk__in=wanted - listed, released_at__lte=clock.now())
    return {pk: moment for pk, moment in shown.order_by().values_list("pk", "released_at") if moment is not None}


def is_released(submission: Submission) -> bool:
    """Whether its student sees the score. Three queries."""
    return submission.pk in released_since([submission])


def taken_back(submissions: Iterable[Submission]) -> dict[int, Release]:
    """By submission id, the latest release that was taken back with a reason, where no other one stands. One query."""
    ids = [submission.pk for submission in submissions]
    items = ReleaseItem.objects.filter(submission__in=ids, release__undone_at=None).select_related("release")
    latest = {item.submission_id: item.release for item in items.order_by("release_id")}
    return {pk: release for pk, release in latest.items() if not release.stands}
