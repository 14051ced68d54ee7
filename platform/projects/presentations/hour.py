"""The pages of one talk while it goes on: for staff with the turnout, for the room with the timer, for the one who rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.models import AuditEvent
from audit.selectors import history_of
from config import clock
from courses.models import Enrollment
from projects.presentations.forms import RatingForm, SessionForm, StaffRatingForm
from projects.presentations.models import Moderation, PresentationRules, Rating, StaffRating, Talk
from projects.presentations.rating import why_not, why_not_staff
from projects.presentations.schedule import people_of
from projects.presentations.tallies import rules_of
from projects.teams.models import Membership


@dataclass(frozen=True)
class Turnout:
    """Who has rated a talk, never what. Those whose talk it is are not asked."""

    talk: Talk
    rated: int
    asked: int
    missing: tuple[str, ...]
    staff_rated: int
    staff_asked: int
    staff_missing: tuple[str, ...]


@dataclass(frozen=True)
class TalkPage:
    """A talk for the staff who run the hour. `beside` are the talks before and after it; `other` is the one that is open instead."""

    talk: Talk
    turnout: Turnout
    speakers: tuple[Enrollment, ...]
    others: tuple[Enrollment, ...]
    before: Talk | None
    after: Talk | None
    other: Talk | None
    comments_waiting: int
    move_form: SessionForm
    history: tuple[AuditEvent, ...]
    is_instructor: bool
    now: datetime


@dataclass(frozen=True)
class RatePage:
    """The form on the phone, for a classmate or for staff. Where none is taken, `why_not` says why; `refused` is what was typed."""

    talk: Talk
    people: tuple[str, ...]
    rules: PresentationRules
    form: RatingForm | StaffRatingForm
    saved_at: datetime | None
    why_not: str
    is_staff: bool
    open_talk: Talk | None


@dataclass(frozen=True)
class TimerTalk:
    """A talk as the screen in the room names it."""

    talk: Talk
    people: tuple[str, ...]


@dataclass(frozen=True)
class TimerPage:
    """The clock for the room: this talk, and those of the same session after it."""

    current: TimerTalk
    following: tuple[TimerTalk, ...]
    rules: PresentationRules
    is_staff: bool


def turnout(talk: Talk) -> Turnout:
    """Of the class as it is now. Five queries."""
    students = Enrollment.objects.students().filter(offering=talk.offering_id)
    own = talk.speakers.order_by().values("enrollment")
    members = Membership.objects.current().filter(team=talk.team_id).order_by().values("enrollment")
    asked = students.exclude(pk__in=own).exclude(pk__in=members).select_related("user")
    rated = set(Rating.objects.filter(talk=talk).values_list("rater", flat=True))
    staff = Enrollment.objects.staff().filter(offering=talk.offering_id).select_related("user")
    staff_rated = set(StaffRating.objects.filter(talk=talk).values_list("rater", flat=True))
    people, team = list(asked), list(staff.order_by("user__sort_name", "pk"))
    return Turnout(
        talk=talk,
        rated=sum(person.pk in rated for person in people),
        asked=len(people),
        missing=_missing(people, rated),
        staff_rated=sum(person.pk in staff_rated for person in team),
        staff_asked=len(team),
        staff_missing=_missing(team, staff_rated),
    )


def talk_page(viewer: Enrollment, talk: Talk, *, move_form: SessionForm | None = None) -> TalkPage:
    """Everything that staff need while a talk goes on. The number of queries does not grow with the class."""
    order = list(Talk.objects.of(talk.offering))
    place = next(at for at, each in enumerate(order) if each.pk == talk.pk)
    speakers = people_of([talk]).get(talk.pk, [])
    students = Enrollment.objects.students().filter(offering=talk.offering_id).select_related("user")
    return TalkPage(
        talk=talk,
        turnout=turnout(talk),
        speakers=tuple(speakers),
        others=tuple(student for student in students if student not in speakers),
        before=order[place - 1] if place else None,
        after=order[place + 1] if place + 1 < len(order) else None,
        other=next((each for each in order if each.is_open and each.pk != talk.pk), None),
        comments_waiting=_waiting(talk),
        move_form=move_form
        or SessionForm(offering=talk.offering, initial={"session": talk.session_id}, auto_id="move-%s"),
        history=history_of(talk),
        is_instructor=viewer.is_instructor,
        now=clock.now(),
    )


def rate_page(viewer: Enrollment, talk: Talk, data: object = None) -> RatePage:
    """The form as the viewer saved it, or as it was just posted."""
    rules = rules_of(talk.offering)
    stored: Rating | StaffRating | None
    form: RatingForm | StaffRatingForm
    if viewer.is_staff:
        stored = StaffRating.objects.filter(talk=talk, rater=viewer).first()
        form, refusal = StaffRatingForm(data, rules=rules, stored=stored), why_not_staff(talk)
    else:
        stored = Rating.objects.filter(talk=talk, rater=viewer).first()
        form, refusal = RatingForm(data, rules=rules, stored=stored), why_not(talk, viewer)
    running = None if talk.is_open else Talk.objects.of(talk.offering).open().first()
    return RatePage(
        talk=talk,
        people=tuple(person.user.name for person in people_of([talk]).get(talk.pk, [])),
        rules=rules,
        form=form,
        saved_at=stored.saved_at if stored else None,
        why_not=refusal,
        is_staff=viewer.is_staff,
        open_talk=running,
    )


def answer_of(page: RatePage) -> dict[str, object]:
    """The same for a script: the revision that the form carries, and where something is wrong, what."""
    errors = [str(message) for messages in page.form.errors.values() for message in messages]
    answer: dict[str, object] = {"revision": page.form.shown_revision}
    return answer | {"detail": " ".join(errors)} if errors else answer


def timer_page(viewer: Enrollment, talk: Talk) -> TimerPage:
    """This talk and what follows it in its session, so that the whole session runs without the network."""
    session = [talk]
    if talk.session_id is not None:
        session = sorted(
            Talk.objects.of(talk.offering).filter(session=talk.session_id), key=lambda each: (each.position, each.pk)
        )
    people = people_of(session)
    named = [TimerTalk(each, tuple(person.user.name for person in people.get(each.pk, []))) for each in session]
    place = next(at for at, each in enumerate(named) if each.talk.pk == talk.pk)
    return TimerPage(named[place], tuple(named[place + 1 :]), rules_of(talk.offering), viewer.is_staff)


def _waiting(talk: Talk) -> int:
    ratings = Rating.objects.counting().filter(talk=talk, moderation=Moderation.WAITING)
    return ratings.exclude(comment="").count()


def _missing(people: Sequence[Enrollment], rated: set[int]) -> tuple[str, ...]:
    return tuple(person.user.name for person in people if person.pk not in rated)
