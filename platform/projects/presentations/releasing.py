"""Showing teams their scores and comments, and taking that back: at first without a word, later with a reason that the team reads."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from projects.presentations.locks import TalkRefused, locked_rules, locked_talk
from projects.presentations.models import Talk
from projects.presentations.scores import score_of
from projects.presentations.tallies import Tally, tallies, weighing_of

REASON_MIN = 3


@transaction.atomic
def release(*, offering: Offering, talks: Collection[int], by: User) -> int:
    """Show these talks' scores, and the comments that were let through, to their speakers; returns how many are new.

    All of them or none: raises `TalkRefused` for one that is open, or that nobody rated.
    """
    rules = locked_rules(offering)
    fresh = [locked_talk(pk) for pk in sorted(talks)]
    waiting = [talk for talk in fresh if talk.released_at is None]
    counted = tallies([talk.pk for talk in waiting], weighing_of(rules))
    for talk in waiting:
        _check(talk, counted[talk.pk], offering)
    for talk in waiting:
        talk.released_at, talk.released_by = clock.now(), by
        talk.taken_back_at, talk.taken_back_reason = None, ""
        talk.save(update_fields=["released_at", "released_by", "taken_back_at", "taken_back_reason"])
        _record(talk, by, "released a talk's score", after=_line(talk, counted[talk.pk]))
    return len(waiting)


@transaction.atomic
def take_back(*, talk: Talk, reason: str, by: User) -> bool:
    """Hide score and comments again; False when they are hidden. Within the time for undoing it takes no reason and leaves no word.

    Raises `TalkRefused` without a reason after that.
    """
    locked_rules(talk.offering)
    fresh, reason = locked_talk(talk.pk), reason.strip()
    if fresh.released_at is None:
        return False
    undone = fresh.can_be_undone(clock.now())
    if not undone and len(reason) < REASON_MIN:
        raise TalkRefused("Please give a reason; the team reads it in place of its score. Nothing was taken back.")
    fresh.released_at, fresh.released_by = None, None
    if not undone:
        fresh.taken_back_at, fresh.taken_back_reason = clock.now(), reason
    fresh.save(update_fields=["released_at", "released_by", "taken_back_at", "taken_back_reason"])
    action = "undid the release of a talk's score" if undone else "took a talk's score back"
    _record(fresh, by, action, before=fresh.team.name, reason="" if undone else reason)
    return True


def _check(talk: Talk, tally: Tally, offering: Offering) -> None:
    if talk.offering_id != offering.pk:
        raise TalkRefused("One of these talks belongs to another offering. Nothing was released.")
    if talk.closed_at is None:
        raise TalkRefused(f"Ratings of {talk.team.name} are not closed yet. Nothing was released.")
    if score_of(talk, tally) is None:
        raise TalkRefused(f"Nobody rated {talk.team.name}, so there is no score. Nothing was released.")


def _line(talk: Talk, tally: Tally) -> str:
    assert tally.points is not None  # checked before
    return f"{talk.team.name}: {float(tally.points):.2f} of 100"


def _record(talk: Talk, by: User, action: str, *, before: str = "", after: str = "", reason: str = "") -> None:
    record(
        actor=by,
        action=action,
        subject=talk,
        offering_id=talk.offering_id,
        before=before,
        after=after,
        reason=reason,
    )
