"""Rows of the presentation hour: the class sees the order and rates, staff keep the hour, instructors decide and release."""

from __future__ import annotations

from datetime import date, time

from courses.models import Role
from projects.models import PresentationRules, Rating, Speaker, StaffMark, StaffRating, Talk
from projects.teams.selectors import team_of
from tests.factories import SessionFactory, closed, opened, person, rated, staff_rated, talk, team
from tests.platform.web.rows import MEMBERS, OWN, STAFF, Row

MODELS = (PresentationRules, Talk, Speaker, Rating, StaffRating, StaffMark)


def make(world, things):
    """The student's team has presented and its score is released; one talk is open; one is planned, and one team has none."""
    offering = world.offering
    PresentationRules.objects.create(offering=offering, first_talk=time(9))
    session = SessionFactory(offering=offering, date=date(2026, 5, 5))
    another = SessionFactory(offering=offering, date=date(2026, 5, 7))
    raters = [person(offering) for _ in range(3)]
    listener = person(offering, Role.TA)
    teams = [team_of(world.student) or team(offering, world.student), *(team(offering, rater) for rater in raters)]
    done, running, planned = (
        talk(each, session=session, position=place) for place, each in enumerate(teams[:3], start=1)
    )
    opened(done, world.ta)
    comments = [rated(done, rater, 4, "Clear.") for rater in raters]
    staff_rated(done, listener, comment="Good.")
    closed(done, world.ta)
    done.speakers.exclude(enrollment=world.student).delete()  # a member who did not speak has no score to read
    Talk.objects.filter(pk=done.pk).update(released_at=offering_start(world), released_by=world.instructor.user)
    opened(running, world.ta)
    for rater in raters[1:]:
        rated(running, rater)
    return {
        "talk": done,
        "running": running,
        "planned": planned,
        "waiting_team": teams[3],
        "session": session,
        "another": another,
        "comment": comments[-1],
    }


def offering_start(world):
    return world.lab.opens_at


def offering(things):
    return [things.offering.slug]


def of(name):
    return lambda things: [things.offering.slug, things.more[name].pk]


def rules(_):
    return {"talk_minutes": 10, "question_minutes": 5, "first_talk": "10:00", "staff_share": 40, "scale": 5}


def fill(things):
    return {"sessions": [things.more["another"].pk]}


def add(things):
    return {"team": things.more["waiting_team"].pk, "session": things.more["another"].pk}


def order(things):
    session = things.more["session"].pk
    names = ("talk", "planned", "running")
    return {"order": [f"{session}:{things.more[name].pk}" for name in names]}


def speaker(things):
    return {"enrollment": things.more["comment"].rater_id, "act": "add"}


ROWS = {
    "talks": Row(MEMBERS, offering),
    "talk-now": Row(MEMBERS, offering, found=302),
    "talks-rules": Row({"instructor"}, offering, "post", rules, 302),
    "talks-fill": Row(STAFF, offering, "post", fill, 302),
    "talks-add": Row(STAFF, offering, "post", add, 302),
    "talks-order": Row(STAFF, offering, "post", order, 302),
    "talks-results": Row(STAFF, offering),
    "talks-release": Row({"instructor"}, offering, "post", lambda things: {"talk": [things.more["talk"].pk]}, 302),
    "talks-comments": Row(STAFF, offering),
    "talks-comment": Row(
        STAFF,
        of("comment"),
        "post",
        lambda _: {"decision": "shown", "revision": 1},
        302,
    ),
    "talk": Row(STAFF, of("running")),
    "talk-open": Row(STAFF, of("planned"), "post", lambda _: {"close_other": "yes"}, 302),
    "talk-close": Row(STAFF, of("running"), "post", found=302),
    "talk-turnout": Row(STAFF, of("running")),
    "talk-speakers": Row(STAFF, of("talk"), "post", speaker, 302, frozenset({"enrollment"})),
    "talk-move": Row(STAFF, of("planned"), "post", lambda things: {"session": things.more["another"].pk}, 302),
    "talk-remove": Row(STAFF, of("planned"), "post", found=302),
    "talk-rate": Row(MEMBERS, of("running")),
    "talk-timer": Row(MEMBERS, of("planned")),
    "talk-comments": Row(STAFF, of("talk")),
    "talk-result": Row(STAFF, of("talk")),
    # the team whose talk it was
    "talk-feedback": Row(OWN, of("talk")),
    "talk-take-back": Row({"instructor"}, of("talk"), "post", lambda _: {"reason": "a mark was wrong"}, 302),
}
