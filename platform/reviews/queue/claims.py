"""Claims: a grader holds one submission at a time, for as long as the lease is renewed.

Each step is one conditional statement and its own transaction: a claim that waited inside a longer one would make graders wait for
each other, and two that exchange their claims would wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from assignments.models import Assignment
from config import clock
from reviews.marking.models import Claim, Review
from reviews.queue.standings import Standing, standings


def claim_next(*, assignment: Assignment, grader: User, after: int | None = None) -> Standing | None:
    """Claim the next submission that is to be graded, in the queue's order behind submission `after`; None: there is none.

    Two graders who ask at once never get the same one. Without `after` it is the one that the grader holds already, if any.
    """
    now = clock.now()
    for row in _in_turn(standings([assignment], grader, now)[assignment.pk].rows, after):
        if claim(submission_pk=row.submission_pk, purpose=row.purpose, grader=grader, now=now):
            return row
    return None


def claim(*, submission_pk: int, purpose: str, grader: User, now: datetime | None = None) -> bool:
    """Take or renew the lease of a submission that is not graded; false where another grader holds it or has graded it.

    What the grader held before is free again.
    """
    now = now or clock.now()
    if not _take(submission_pk, purpose, grader, now):
        return False
    mine = Claim.objects.filter(grader=grader)
    # who graded it gave its claim back afterwards, so a claim that was free may be of a submission that is done
    if Review.objects.filter(submission_id=submission_pk, purpose=purpose).exists():
        mine.filter(submission_id=submission_pk, purpose=purpose).delete()
        return False
    mine.exclude(submission_id=submission_pk).delete()
    return True


def release(*, submission_pk: int, grader: User) -> None:
    """Give a submission back, as far as the grader holds it."""
    Claim.objects.filter(submission_id=submission_pk, grader=grader).delete()


def holder(*, submission_pk: int, purpose: str) -> str:
    """Who reads it now, by name; empty: nobody."""
    held = Claim.objects.held_at(clock.now()).filter(submission_id=submission_pk, purpose=purpose)
    return held.values_list("grader__name", flat=True).first() or ""


def _in_turn(rows: Iterable[Standing], after: int | None) -> Iterator[Standing]:
    """What may be claimed: behind `after` first, then from the beginning; a submission that one skipped comes last."""
    listed = list(rows)
    at = next((i for i, row in enumerate(listed, start=1) if row.submission_pk == after), 0)
    turned = [*listed[at:], *listed[:at]]
    if not at:
        yield from (row for row in turned if row.state == "held")
    yield from (row for row in turned if row.state in {"left", "held"} and (at or row.state == "left"))


def _take(submission_pk: int, purpose: str, grader: User, now: datetime) -> bool:
    until = now + timedelta(seconds=settings.REVIEW_LEASE_S)
    this = Claim.objects.filter(submission_id=submission_pk, purpose=purpose)
    if this.filter(grader=grader, until__gt=now).update(until=until):
        return True
    if this.filter(until__lte=now).update(grader=grader, taken_at=now, until=until):
        return True
    fresh = Claim(submission_id=submission_pk, purpose=purpose, grader=grader, taken_at=now, until=until)
    # of two that insert at once, the unique constraint lets one through
    Claim.objects.bulk_create([fresh], ignore_conflicts=True)
    return this.filter(grader=grader, until__gt=now).exists()
