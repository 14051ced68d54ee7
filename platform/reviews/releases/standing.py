"""What is released: asked by every page that shows a student a score by hand."""

from __future__ import annotations

from collections.abc import Iterable

from reviews.releases.models import Release, ReleaseItem
from submissions.models import Submission

STANDS = {"release__undone_at": None, "release__retracted_at": None}


def releases_of(submissions: Iterable[Submission]) -> dict[int, Release]:
    """By submission id, the release that shows its score; one whose score is not released is not in it. One query."""
    ids = [submission.pk for submission in submissions]
    items = ReleaseItem.objects.filter(submission__in=ids, **STANDS).select_related("release")
    return {item.submission_id: item.release for item in items}


def is_released(submission: Submission) -> bool:
    """Whether its student sees the score. One query."""
    return ReleaseItem.objects.filter(submission=submission, **STANDS).exists()


def taken_back(submissions: Iterable[Submission]) -> dict[int, Release]:
    """By submission id, the latest release that was taken back with a reason, where no other one stands. One query."""
    ids = [submission.pk for submission in submissions]
    items = ReleaseItem.objects.filter(submission__in=ids, release__undone_at=None).select_related("release")
    latest = {item.submission_id: item.release for item in items.order_by("release_id")}
    return {pk: release for pk, release in latest.items() if not release.stands}
