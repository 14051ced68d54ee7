"""Rows of regrade requests: a score's student asks and withdraws, staff answer, instructors set the window."""

from __future__ import annotations

from courses.models import Role
from reviews.releases.services import release
from reviews.requests.models import RegradeRequest
from reviews.requests.services import ask
from tests.factories import ReadingFactory, person, reviewed, summary
from tests.platform.web.rows import OWN, STAFF, Row

MODELS = (RegradeRequest,)
SENTENCE = "Item three is there, in my second paragraph."


def make(world, things):
    """Two released scores of one student, both given by a TA who is nobody of the matrix; about the first a request is open."""
    grader = person(world.offering, Role.TA)
    scored = []
    for _ in range(2):
        reading = ReadingFactory(assignment__offering=world.offering).assignment
        scored.append(summary(reading, world.student))
        reviewed(scored[-1], grader)
        release(assignment=reading, by=world.instructor.user, partial=True)
    return {"request": ask(submission=scored[0], item=None, reason=SENTENCE), "asked": scored[0], "scored": scored[1]}


def offering(things):
    return [things.offering.slug]


def one(things):
    return [things.offering.slug, things.more["request"].pk]


ROWS = {
    "regrade-request": Row(OWN, lambda things: [things.more["asked"].pk]),
    "regrade-request-ask": Row(
        {"student"}, lambda things: [things.more["scored"].pk], "post", lambda _: {"reason": SENTENCE}, 302
    ),
    "regrade-request-withdraw": Row({"student"}, lambda things: [things.more["request"].pk], "post", found=302),
    "regrade-requests": Row(STAFF, offering),
    "regrade-request-window": Row({"instructor"}, offering, "post", lambda _: {"days": "9"}, 302),
    "regrade-request-one": Row(STAFF, one),
    "regrade-request-answer": Row(STAFF, one, "post", lambda _: {"decision": "keep", "answer": SENTENCE}, 302),
}
