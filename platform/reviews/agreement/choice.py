"""Which submissions are read twice, and what a grader may read next.

The choice is a keyed hash over assignment and student: nobody without the installation's key can predict it, and it stays the same
for a student who hands in again. A grader is never told that a reading is a second one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from django.conf import settings

from accounts.models import User
from reviews.marking.models import Claim, Purpose, Review
from submissions.models import Submission

ALL_HASHES = 2**64


def is_chosen(assignment_id: int, enrollment_id: int) -> bool:
    """Whether this student's work at this assignment is read twice."""
    told = f"second reading {assignment_id} {enrollment_id}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), told, sha256)
    return int.from_bytes(digest[:8], "big") < settings.SECOND_READING_SHARE * ALL_HASHES


def is_read_twice(submission: Submission) -> bool:
    """The same, of a submission."""
    return is_chosen(submission.assignment_id, submission.enrollment_id)


def purpose_for(
    submission: Submission, grader: User, reviews: Iterable[Review], claims: Iterable[Claim]
) -> Purpose | None:
    """What `grader` may read this submission for: the first reading, a second one of a chosen submission, or nothing.

    `reviews` and `claims` are the submission's own; `claims` are those whose lease has not run out. What another grader
    holds is not offered, and nobody reads a submission twice.
    """
    read = {review.purpose: review for review in reviews if review.purpose != Purpose.CALIBRATION}
    held = {claim.purpose for claim in claims if claim.grader_id != grader.pk}
    first = read.get(Purpose.FIRST)
    if first is None:
        return None if Purpose.FIRST in held else Purpose.FIRST
    if first.grader_id == grader.pk or Purpose.SECOND in read or Purpose.SECOND in held:
        return None
    return Purpose.SECOND if is_read_twice(submission) else None


def purposes_for(*, submissions: Iterable[Submission], grader: User, now: datetime) -> dict[int, Purpose]:
    """By submission id, in the order given; what there is nothing to read of is not in it. Two queries, however many there are."""
    listed = {submission.pk: submission for submission in submissions}
    reviews: dict[int, list[Review]] = {}
    for review in Review.objects.filter(submission__in=listed):
        reviews.setdefault(review.submission_id, []).append(review)
    claims: dict[int, list[Claim]] = {}
    for claim in Claim.objects.held_at(now).filter(submission__in=listed):
        claims.setdefault(claim.submission_id, []).append(claim)
    found = {pk: purpose_for(row, grader, reviews.get(pk, ()), claims.get(pk, ())) for pk, row in listed.items()}
    return {pk: purpose for pk, purpose in found.items() if purpose is not None}
