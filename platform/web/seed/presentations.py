"""Talks of the demo: all teams are planned for the last week, and two have practised in class. One of them has read what was said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from random import Random

from accounts.models import User
from config import clock
from courses.models import Enrollment, Offering, Session
from projects.models import (
    PresentationRules,
    Rating,
    Speaker,
    StaffMark,
    StaffRating,
    Talk,
    Team,
)
from projects.presentations.models import Criterion, Moderation
from projects.presentations.planning import fill
from projects.teams.models import Membership
from web.seed.people import INSTRUCTOR, address

CLASS_BEGINS = time(15, 30)
PRACTICE, PRACTICE_TALKS = timedelta(minutes=15), 2
HEARD, COMMENTED = 0.85, 0.4
COMMENTS = (
    "I understood for the first time why the order of the all-reduce matters. The timeline slide was the best one.",
    "Please say what the baseline is before you show the speedup.",
    "Good pace. The font in the plots is too small from row six on.",
    "The demo was worth it, even if it took a minute to start.",
    "I lost you between the cost model and the results. A slide that says what the model predicts would help.",
    "Nice work! I would have liked one number for a second GPU.",
    "Why does it get slower at batch size 64? You passed over it quickly.",
    "Very clear introduction, I could explain the problem to a friend now.",
    "You both looked at the screen most of the time.",
    "boring tbh",
)
STAFF_SAID = "A good plan and an honest baseline. Rehearse the transition between the two speakers, and leave a minute for the limits."


def seed_presentations(offering: Offering, students: Sequence[Enrollment]) -> int:
    """Plan and practise; returns how many talks there are. Without teams there are none, and a second time makes none."""
    if offering.talks.exists() or not offering.teams.exists():
        return 0
    PresentationRules.objects.get_or_create(offering=offering, defaults={"first_talk": CLASS_BEGINS})
    instructor = User.objects.get(email=address(INSTRUCTOR))
    last = list(offering.sessions.order_by("-date", "-number")[:2])
    fill(offering=offering, sessions=last, by=instructor)
    today = offering.day_of(clock.now())
    held = offering.sessions.filter(date__lte=today).order_by("date", "number").last()
    if held is not None:
        _practise(held, students, instructor)
    return offering.talks.count()


def _practise(session: Session, students: Sequence[Enrollment], instructor: User) -> None:
    """At the end of the last class: the first team has read its feedback, the comments of the second wait for a decision."""
    random = Random(498)  # noqa: S311 - the demo is the same every time
    offering = session.offering
    begins = datetime.combine(session.date, CLASS_BEGINS, tzinfo=offering.zone) + timedelta(minutes=45)
    leniency = {student.pk: random.gauss(0, 0.7) for student in students}
    for place, team in enumerate(offering.teams.standing().order_by("pk")[:PRACTICE_TALKS], start=1):
        talk = _held(team, session, begins + (place - 1) * PRACTICE, place)
        _rate(talk, students, leniency, quality=4.1 - 0.5 * place, random=random)
        _mark(talk, quality=4.3 - 0.4 * place, random=random)
        if place == 1:
            _release(talk, instructor)


def _held(team: Team, session: Session, begins: datetime, place: int) -> Talk:
    talk = Talk.objects.create(
        offering=team.offering,
        team=team,
        session=session,
        position=place,
        practice=True,
        starts_at=begins,
        opened_at=begins + timedelta(minutes=2),
        closed_at=begins + PRACTICE,
    )
    members = Membership.objects.current().filter(team=team).values_list("enrollment", flat=True)
    Speaker.objects.bulk_create(Speaker(talk=talk, enrollment_id=member) for member in members)
    return talk


def _rate(
    talk: Talk, students: Sequence[Enrollment], leniency: dict[int, float], *, quality: float, random: Random
) -> None:
    """Most of the class was there and rated; some wrote a word."""
    own = set(talk.speakers.values_list("enrollment", flat=True))
    comments = random.sample(COMMENTS, len(COMMENTS))
    ratings = []
    for student in students:
        if student.pk in own or random.random() > HEARD:
            continue
        score = round(random.gauss(quality + leniency[student.pk], 0.5))
        comment = comments.pop() if comments and random.random() < COMMENTED else ""
        ratings.append(
            Rating(
                talk=talk,
                rater=student,
                score=min(max(score, 1), 5),
                comment=comment,
                saved_at=talk.starts_at + random.random() * PRACTICE,
            )
        )
    Rating.objects.bulk_create(ratings)


def _mark(talk: Talk, *, quality: float, random: Random) -> None:
    for place, grader in enumerate(Enrollment.objects.staff().filter(offering=talk.offering).order_by("pk")):
        rating = StaffRating.objects.create(
            talk=talk,
            rater=grader,
            comment=STAFF_SAID if place == 0 else "",
            saved_at=talk.starts_at + PRACTICE,
        )
        StaffMark.objects.bulk_create(
            StaffMark(rating=rating, criterion=name, score=min(max(round(random.gauss(quality, 0.7)), 1), 5))
            for name in Criterion.values
        )


def _release(talk: Talk, by: User) -> None:
    """An hour after class. The one comment that says nothing was held back."""
    decided = talk.starts_at + timedelta(hours=1)
    for rating in talk.ratings.exclude(comment=""):
        kept = "boring" not in rating.comment
        rating.moderation = Moderation.SHOWN if kept else Moderation.HELD
        rating.moderated_by, rating.moderated_at = by, decided
        rating.save()
    talk.released_at, talk.released_by = decided, by
    talk.save()
