"""When a talk is rated, and whose it is. One talk of an offering is open at a time."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Enrollment
from projects.presentations.locks import TalkRefused, locked_rules, locked_talk
from projects.presentations.models import Speaker, Talk
from projects.teams.models import Membership


@transaction.atomic
def open_ratings(*, talk: Talk, by: User, close_other: bool = False) -> bool:
    """Take ratings from now on; False when they are taken already. The first time, the team's members become its speakers.

    Raises `TalkRefused` while another talk is open, unless `close_other`, once the score is released, and for a team without members.
    """
    locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    if fresh.is_open:
        return False
    _check_opening(fresh)
    for other in Talk.objects.filter(offering=talk.offering).open().select_related("team"):
        if not close_other:
            raise TalkRefused(f"{other.team.name} is being rated now. Close that talk first; nothing was opened.")
        close_ratings(talk=other, by=by)
    again = fresh.opened_at is not None
    fresh.opened_at, fresh.closed_at = fresh.opened_at or clock.now(), None
    fresh.save(update_fields=["opened_at", "closed_at"])
    if not again:
        _seat(fresh)
    _record(fresh, by, "reopened ratings" if again else "opened ratings", after=_names(fresh))
    return True


@transaction.atomic
def close_ratings(*, talk: Talk, by: User) -> bool:
    """Take no more ratings of classmates; False when none were taken. Staff may go on until the release."""
    locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    if not fresh.is_open:
        return False
    assert fresh.opened_at is not None  # it is open
    fresh.closed_at = max(clock.now(), fresh.opened_at)  # clocks of two servers may differ a little
    fresh.save(update_fields=["closed_at"])
    _record(fresh, by, "closed ratings", after=f"{fresh.team.name}: {fresh.ratings.count()} ratings")
    return True


@transaction.atomic
def add_speaker(*, talk: Talk, enrollment: Enrollment, by: User) -> bool:
    """Make the talk somebody's; False when it is theirs already. What they rated of it themselves no longer counts.

    Raises `TalkRefused` before the talk was opened, and for whoever spoke in another talk that counts.
    """
    locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    if fresh.opened_at is None:
        raise TalkRefused(
            "Speakers are the team's members when ratings are opened. Change the team until then; nothing was changed."
        )
    if fresh.speakers.filter(enrollment=enrollment).exists():
        return False
    other = None if fresh.practice else _spoken_elsewhere([enrollment.pk], fresh).select_related("talk__team").first()
    if other is not None:
        raise TalkRefused(
            f"{enrollment.user.name} spoke with {other.talk.team.name}, and has one score. Nothing was changed."
        )
    before = _names(fresh)
    Speaker.objects.create(talk=fresh, enrollment=enrollment)
    _record(fresh, by, "changed speakers", before=before, after=_names(fresh))
    return True


@transaction.atomic
def remove_speaker(*, talk: Talk, enrollment: Enrollment, by: User) -> bool:
    """Say that the talk is not somebody's: its score is not theirs. False when it was not."""
    locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    before = _names(fresh)
    gone, _ = fresh.speakers.filter(enrollment=enrollment).delete()
    if gone:
        _record(fresh, by, "changed speakers", before=before, after=_names(fresh))
    return bool(gone)


def _check_opening(talk: Talk) -> None:
    if talk.released_at is not None:
        raise TalkRefused(
            "The team sees the score of this talk already. Take the release back first; nothing was opened."
        )
    if talk.opened_at is None and not _members(talk):
        raise TalkRefused(f"{talk.team.name} has no members now, so the talk would be nobody's. Nothing was opened.")


def _seat(talk: Talk) -> None:
    """The team as it stands. Whoever spoke with another team keeps that score and gets no second one."""
    members = _members(talk)
    elsewhere = set() if talk.practice else set(_spoken_elsewhere(members, talk).values_list("enrollment", flat=True))
    Speaker.objects.bulk_create(
        Speaker(talk=talk, enrollment_id=member) for member in members if member not in elsewhere
    )


def _members(talk: Talk) -> list[int]:
    return list(Membership.objects.current().filter(team=talk.team).order_by("pk").values_list("enrollment", flat=True))


def _spoken_elsewhere(people: list[int], talk: Talk) -> QuerySet[Speaker]:
    counting = Talk.objects.filter(offering=talk.offering_id, practice=False).exclude(pk=talk.pk)
    return Speaker.objects.filter(talk__in=counting, enrollment__in=people)


def _names(talk: Talk) -> str:
    names = talk.speakers.order_by("enrollment__user__sort_name").values_list("enrollment__user__name", flat=True)
    return f"{talk.team.name}: {', '.join(names)}"


def _record(talk: Talk, by: User, action: str, *, before: str = "", after: str = "") -> None:
    record(actor=by, action=action, subject=talk, offering_id=talk.offering_id, before=before, after=after)
