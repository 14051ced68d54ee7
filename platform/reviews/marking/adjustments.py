"""Adjustments after they were made: withdrawn, put back, and shown to staff."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from reviews.marking.models import Adjustment
from reviews.marking.services import number
from submissions.models import Submission


@dataclass(frozen=True)
class Adjustments:
    """What the component shows: those that stand, those that were withdrawn, and a form's words that were refused."""

    submission: Submission
    standing: tuple[Adjustment, ...]
    withdrawn: tuple[Adjustment, ...]
    most: str
    typed_points: str = ""
    typed_reason: str = ""
    refusal: str = ""


@transaction.atomic
def withdraw(*, adjustment: Adjustment, by: User) -> bool:
    """Let it count no more; False when it was withdrawn already."""
    return _turn(adjustment, by, stands=False)


@transaction.atomic
def put_back(*, adjustment: Adjustment, by: User) -> bool:
    """Let a withdrawn one count again; False when it does already."""
    return _turn(adjustment, by, stands=True)


def adjustments_of(submission: Submission, *, points: str = "", reason: str = "", refusal: str = "") -> Adjustments:
    """For the component, with what was typed and refused. One query."""
    rows = Adjustment.ever.filter(submission=submission).select_related("made_by", "withdrawn_by")
    return Adjustments(
        submission=submission,
        standing=tuple(row for row in rows if row.withdrawn_at is None),
        withdrawn=tuple(row for row in rows if row.withdrawn_at is not None),
        most=number(submission.assignment.points),
        typed_points=points,
        typed_reason=reason,
        refusal=refusal,
    )


def _turn(adjustment: Adjustment, by: User, *, stands: bool) -> bool:
    fresh = (
        Adjustment.ever.select_for_update(of=("self",)).select_related("submission__assignment").get(pk=adjustment.pk)
    )
    if (fresh.withdrawn_at is None) == stands:
        return False
    fresh.withdrawn_at, fresh.withdrawn_by = (None, None) if stands else (clock.now(), by)
    fresh.save(update_fields=["withdrawn_at", "withdrawn_by"])
    told = f"{fresh.points:+}: {fresh.reason}"
    record(
        actor=by,
        action="put back an adjustment" if stands else "withdrew an adjustment",
        subject=fresh.submission,
        offering_id=fresh.submission.assignment.offering_id,
        before="" if stands else told,
        after=told if stands else "",
    )
    return True
