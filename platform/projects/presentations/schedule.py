"""The page of all talks: their order, and what a person can do with each now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count

from config import clock
from courses.models import Enrollment, Offering, Session
from projects.presentations.forms import AddTalkForm, RulesForm, SessionsForm
from projects.presentations.models import PresentationRules, Rating, Speaker, StaffRating, Talk
from projects.presentations.planning import teams_without_talk
from projects.presentations.tallies import rules_of
from projects.teams.models import Membership, Team

LAST_SESSIONS = 2


@dataclass(frozen=True)
class TalkRow:
    """One talk. `people` are its speakers once it was opened, and the team's members until then."""

    talk: Talk
    place: int
    people: tuple[str, ...]
    ends_at: datetime
    is_own: bool
    speaks: bool  # whether the score is the viewer's
    rated: bool  # by the viewer

    @property
    def can_rate(self) -> bool:
        """Whether a classmate may tap it now."""
        return self.talk.is_open and not self.is_own

    @property
    def can_read(self) -> bool:
        """Whether its team has something to read about it."""
        return self.speaks and (self.talk.released_at is not None or self.talk.taken_back_at is not None)


@dataclass(frozen=True)
class SessionTalks:
    """The talks of one session, in order; without a session, those whose session was taken off the schedule."""

    session: Session | None
    rows: tuple[TalkRow, ...]
    is_today: bool

    @property
    def day(self) -> date | None:
        """When it is."""
        return self.session.date if self.session else None

    @property
    def starts_at(self) -> datetime:
        """When the first talk begins."""
        return min(row.talk.starts_at for row in self.rows)

    @property
    def ends_at(self) -> datetime:
        """When the last talk's questions end."""
        return max(row.ends_at for row in self.rows)


@dataclass(frozen=True)
class TalksPage:
    """The hour as a whole. What only staff see is empty for students."""

    sessions: tuple[SessionTalks, ...]
    own: tuple[TalkRow, ...]
    rules: PresentationRules
    waiting: tuple[Team, ...]
    rules_form: RulesForm | None
    fill_form: SessionsForm | None
    add_form: AddTalkForm | None
    is_staff: bool
    is_instructor: bool
    now: datetime

    @property
    def can_order(self) -> bool:
        """Whether there is anything to put in order."""
        return self.is_staff and any(part.session for part in self.sessions)


def talks_page(
    viewer: Enrollment,
    *,
    rules_form: RulesForm | None = None,
    fill_form: SessionsForm | None = None,
    add_form: AddTalkForm | None = None,
) -> TalksPage:
    """For anyone of the class. A form that came back keeps what was typed. The number of queries does not grow with the talks."""
    offering, now = viewer.offering, clock.now()
    rules = rules_of(offering)
    rows = _rows(viewer, list(Talk.objects.of(offering)), rules)
    staff = viewer.is_staff
    return TalksPage(
        sessions=_by_session(rows, offering.day_of(now)),
        own=tuple(row for row in rows if row.is_own),
        rules=rules,
        waiting=tuple(teams_without_talk(offering)) if staff else (),
        rules_form=(rules_form or RulesForm(rules=rules)) if viewer.is_instructor else None,
        fill_form=(fill_form or new_fill_form(offering)) if staff else None,
        add_form=(add_form or AddTalkForm(offering=offering)) if staff else None,
        is_staff=staff,
        is_instructor=viewer.is_instructor,
        now=now,
    )


def new_fill_form(offering: Offering, data: object = None) -> SessionsForm:
    """All sessions to choose from, the last ones of the term first and chosen."""
    sessions = list(offering.sessions.order_by("-date", "-number"))
    return SessionsForm(data, sessions=sessions, chosen=[session.pk for session in sessions[:LAST_SESSIONS]])


def sessions_with_talks(offering: Offering) -> list[int]:
    """Their ids, in order."""
    held = Talk.objects.filter(offering=offering, session__isnull=False).order_by().values("session")
    return list(offering.sessions.filter(pk__in=held).order_by("date", "number").values_list("pk", flat=True))


def talks_by_session(offering: Offering) -> dict[int, int]:
    """By id of the session, how many talks are planned in it. One query."""
    held = Talk.objects.filter(offering=offering, session__isnull=False).order_by()
    return dict(held.values_list("session").annotate(Count("pk")))


def people_of(talks: Collection[Talk]) -> dict[int, list[Enrollment]]:
    """By id of the talk, whose it is: speakers of those that were opened, members of the others. Two queries."""
    opened = [talk.pk for talk in talks if talk.opened_at is not None]
    speakers = Speaker.objects.filter(talk__in=opened).select_related("enrollment__user")
    people: dict[int, list[Enrollment]] = defaultdict(list)
    for speaker in speakers.order_by("enrollment__user__sort_name", "pk"):
        people[speaker.talk_id].append(speaker.enrollment)
    coming = [talk for talk in talks if talk.opened_at is None]
    current = (
        Membership.objects.current()
        .filter(team__in={talk.team_id for talk in coming})
        .select_related("enrollment__user")
    )
    members: dict[int, list[Enrollment]] = defaultdict(list)
    for membership in current.order_by("enrollment__user__sort_name", "pk"):
        members[membership.team_id].append(membership.enrollment)
    return people | {talk.pk: members[talk.team_id] for talk in coming}


def _rows(viewer: Enrollment, talks: Sequence[Talk], rules: PresentationRules) -> list[TalkRow]:
    people = people_of(talks)
    ratings = StaffRating.objects if viewer.is_staff else Rating.objects
    rated = set(ratings.filter(talk__in=talks, rater=viewer).order_by().values_list("talk", flat=True))
    own = set(Membership.objects.current().filter(enrollment=viewer).values_list("team", flat=True))
    return [
        TalkRow(
            talk=talk,
            place=talk.position,
            people=tuple(person.user.name for person in people.get(talk.pk, [])),
            ends_at=talk.starts_at + rules.slot,
            is_own=talk.team_id in own or viewer in people.get(talk.pk, []),
            speaks=talk.opened_at is not None and viewer in people.get(talk.pk, []),
            rated=talk.pk in rated,
        )
        for talk in talks
    ]


def _by_session(rows: Sequence[TalkRow], today: date) -> tuple[SessionTalks, ...]:
    held: dict[int | None, list[TalkRow]] = defaultdict(list)
    for row in rows:
        held[row.talk.session_id].append(row)
    parts = (
        SessionTalks(
            session=(session := part[0].talk.session),
            rows=tuple(sorted(part, key=lambda row: (row.place, row.talk.pk))),
            is_today=session is not None and session.date == today,
        )
        for part in held.values()
    )
    return tuple(sorted(parts, key=lambda part: (part.day or date.max, part.session.number if part.session else 0)))
