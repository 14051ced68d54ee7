"""The order of talks: who speaks in which session, and when. Whatever was opened keeps the time at which it took place."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from django.db import transaction

from accounts.models import User
from assignments.due.rules import on_wall
from audit.services import record
from courses.models import Offering, Session
from projects.presentations.locks import TalkRefused, locked_rules, locked_talk
from projects.presentations.models import PresentationRules, Rating, StaffRating, Talk
from projects.teams.models import Membership, Team


@dataclass(frozen=True)
class NewRules:
    """What an instructor wants the rules to be."""

    staff_share: int
    scale: int
    talk_minutes: int
    question_minutes: int
    first_talk: time


@transaction.atomic
def set_rules(*, offering: Offering, new: NewRules, by: User) -> bool:
    """Decide how long talks take and how they are scored; False when it is so already. Talks that are planned move in time.

    Raises `TalkRefused` for another scale once somebody has rated: marks of two scales cannot be compared.
    """
    rules = locked_rules(offering)
    before = _told(rules)
    if new.scale != rules.scale and _rated(offering):
        raise TalkRefused(
            f"Talks were rated on a scale from 1 to {rules.scale} already, and marks of two scales cannot be compared. "
            "Nothing was changed; leave the scale as it is, and save again."
        )
    for name in ("staff_share", "scale", "talk_minutes", "question_minutes", "first_talk"):
        setattr(rules, name, getattr(new, name))
    if _told(rules) == before:
        return False
    rules.save()
    _retime(rules, list(Talk.objects.of(offering)))
    record(
        actor=by,
        action="set the rules of talks",
        subject=offering,
        offering_id=offering.pk,
        before=before,
        after=_told(rules),
    )
    return True


@transaction.atomic
def fill(*, offering: Offering, sessions: Sequence[Session], by: User) -> int:
    """Give every team without a talk one in these sessions, about as many in each; returns how many got one.

    The order is random and always the same: a team that comes later takes a place of its own and moves no other pair around.
    Raises `TalkRefused` without a session, or where every team has a talk.
    """
    rules = locked_rules(offering)
    if not sessions:
        raise TalkRefused("Please choose the sessions in which teams present. Nothing was planned.")
    waiting = teams_without_talk(offering)
    if not waiting:
        raise TalkRefused("Every team has a talk already, so there is nothing to fill in.")
    listed = list(Talk.objects.of(offering))
    held = {session.pk: [talk for talk in listed if talk.session_id == session.pk] for session in sessions}
    quota = -(-(len(waiting) + sum(map(len, held.values()))) // len(sessions))
    for session in sorted(sessions, key=lambda session: (session.date, session.number)):
        while waiting and len(held[session.pk]) < quota:
            held[session.pk].append(_append(rules, waiting.pop(0), session, len(held[session.pk]) + 1))
    made = [talk for talks in held.values() for talk in talks if talk not in listed]
    _record(offering, by, "planned talks", after=_order(made))
    return len(made)


@transaction.atomic
def add_talk(*, offering: Offering, team: Team, session: Session, practice: bool, by: User) -> Talk:
    """One talk at the end of a session. Raises `TalkRefused` for a second one that counts."""
    rules = locked_rules(offering)
    if not practice and Talk.objects.filter(team=team, practice=False).exists():
        raise TalkRefused(f"{team.name} has a talk already. Nothing was added; a practice talk would be possible.")
    place = Talk.objects.filter(session=session).count() + 1
    talk = _append(rules, team, session, place, practice=practice)
    _record(offering, by, "planned talks", after=_order([talk]))
    return talk


@transaction.atomic
def arrange(*, offering: Offering, order: Mapping[int, Sequence[int]], by: User) -> bool:
    """Put the talks into this order: by id of the session, the ids of its talks. False when they stand so already.

    Raises `TalkRefused` where the schedule is another one by now, and for a talk that took place in another session.
    """
    rules = locked_rules(offering)
    talks = {talk.pk: talk for talk in Talk.objects.of(offering).filter(session__isnull=False)}
    sessions = offering.sessions.in_bulk(list(order))
    named = [pk for pks in order.values() for pk in pks]
    if sorted(named) != sorted(talks) or len(sessions) != len(order):
        raise TalkRefused(
            "The schedule has changed since you opened it, so the order was not saved. Here it is as it stands now."
        )
    before = _order(list(talks.values()))
    for session_pk, pks in order.items():
        for place, pk in enumerate(pks, start=1):
            _put(talks[pk], sessions[session_pk], place)
    if _order(list(talks.values())) == before:
        return False
    _retime(rules, list(talks.values()))
    _record(offering, by, "reordered talks", before=before, after=_order(list(talks.values())))
    return True


@transaction.atomic
def move(*, talk: Talk, session: Session, by: User) -> bool:
    """Put a talk at the end of another session; False when it is in it already."""
    rules = locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    if fresh.session_id == session.pk:
        return False
    before = _order([fresh])
    _put(fresh, session, Talk.objects.filter(session=session).count() + 1)
    fresh.save(update_fields=["session", "position"])
    _retime(rules, list(Talk.objects.of(talk.offering)))
    _record(talk.offering, by, "reordered talks", before=before, after=_order([fresh]))
    return True


@transaction.atomic
def remove(*, talk: Talk, by: User) -> None:
    """Take a talk off the schedule. Raises `TalkRefused` once it was opened and rated: no rating is ever lost."""
    rules = locked_rules(talk.offering)
    fresh = locked_talk(talk.pk)
    if fresh.is_open or fresh.ratings.exists() or fresh.staff_ratings.exists():
        raise TalkRefused(
            "This talk was rated or is being rated, so it stays. Close it, and do not release it, if it should not count."
        )
    _record(talk.offering, by, "took a talk off the schedule", before=_order([fresh]))
    fresh.delete()
    _retime(rules, list(Talk.objects.of(talk.offering)))


def teams_without_talk(offering: Offering) -> list[Team]:
    """Teams that have members and no talk that counts, in an order that looks random and is always the same. One query."""
    members = Membership.objects.current().filter(team__offering=offering).order_by().values("team")
    talks = Talk.objects.filter(offering=offering).counting().order_by().values("team")
    teams = Team.objects.standing().filter(offering=offering, pk__in=members).exclude(pk__in=talks)
    return sorted(teams, key=_lot)


def _lot(team: Team) -> bytes:
    """What a team draws: no name, no date of its founding shows in it."""
    return hashlib.sha256(f"talks/{team.offering_id}/{team.pk}".encode()).digest()


def _append(rules: PresentationRules, team: Team, session: Session, place: int, *, practice: bool = False) -> Talk:
    return Talk.objects.create(
        offering=rules.offering,
        team=team,
        session=session,
        position=place,
        practice=practice,
        starts_at=_time(rules, session, place),
    )


def _time(rules: PresentationRules, session: Session, place: int) -> datetime:
    first = on_wall(datetime.combine(session.date, rules.first_talk), rules.offering.zone)
    return first + (place - 1) * rules.slot


def _put(talk: Talk, session: Session, place: int) -> None:
    if talk.opened_at is not None and talk.session_id != session.pk:
        raise TalkRefused(
            f"{talk.team.name} has presented already, so the talk stays in its session. Nothing was moved."
        )
    talk.session, talk.position = session, place


def _retime(rules: PresentationRules, talks: Sequence[Talk]) -> None:
    """Number the talks of each session from 1 and give those to come their time."""
    by_session: dict[int, list[Talk]] = defaultdict(list)
    for talk in sorted(talks, key=lambda talk: (talk.position, talk.pk)):
        if talk.session is not None:
            by_session[talk.session.pk].append(talk)
    for held in by_session.values():
        for place, talk in enumerate(held, start=1):
            talk.position = place
            if talk.opened_at is None and talk.session is not None:
                talk.starts_at = _time(rules, talk.session, place)
    Talk.objects.bulk_update(talks, ["session", "position", "starts_at"])


def _rated(offering: Offering) -> bool:
    talks = Talk.objects.filter(offering=offering)
    return Rating.objects.filter(talk__in=talks).exists() or StaffRating.objects.filter(talk__in=talks).exists()


def _told(rules: PresentationRules) -> str:
    return (
        f"staff {rules.staff_share} %, marks from 1 to {rules.scale}, {rules.talk_minutes} + {rules.question_minutes} minutes, "
        f"first at {rules.first_talk:%H:%M}"
    )


def _order(talks: Sequence[Talk]) -> str:
    """Session by session, as the trail keeps it."""
    by_day: dict[str, list[Talk]] = defaultdict(list)
    for talk in talks:
        by_day[str(talk.session.date) if talk.session else "no session"].append(talk)
    lines = (
        f"{day}: {', '.join(talk.team.name for talk in sorted(held, key=lambda talk: (talk.position, talk.pk)))}"
        for day, held in sorted(by_day.items())
    )
    return "; ".join(lines)


def _record(offering: Offering, by: User, action: str, *, before: str = "", after: str = "") -> None:
    record(actor=by, action=action, subject=offering, offering_id=offering.pk, before=before, after=after)
