"""Rows of deliverables: teams hand in and see their own work, staff see all of it, instructors keep the list."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from config import clock
from projects.deliverables.models import Deliverable, SubmissionLink, TeamSubmission
from projects.teams.models import Membership, TeamRules
from projects.teams.selectors import team_of
from submissions.models import Author
from tests.factories import deliverable, team, team_work
from tests.platform.web.rows import MEMBERS, STAFF, Row

MODELS = (Deliverable, SubmissionLink, TeamSubmission, Author, TeamRules)
STUDENTS = {"student", "classmate"}
INSTRUCTOR = {"instructor"}


def make(world, things):
    """The student and the classmate in a team that has handed in; a second deliverable has nothing yet."""
    ours = team_of(world.student) or team(world.offering, world.student)
    if team_of(world.classmate) is None:
        Membership.objects.create(team=ours, enrollment=world.classmate, joined_at=clock.now())
    proposal = deliverable(world.offering)
    return {"proposal": proposal, "work": team_work(proposal, ours), "unused": deliverable(world.offering, "midterm")}


def offering(things):
    return [things.offering.slug]


def one(name):
    return lambda things: [things.offering.slug, things.more[name].slug]


def work(things):
    return [things.more["work"].pk]


ROWS = {
    "deliverables": Row(STAFF, offering),
    "deliverable": Row(MEMBERS, one("proposal")),
    "deliverable-submit": Row(
        STUDENTS,
        one("proposal"),
        "post",
        lambda _: {"pdf": SimpleUploadedFile("report.pdf", b"%PDF-1.7")},
        302,
        fields=frozenset({"code", "url", "client_token"}),
    ),
    "deliverable-submission": Row({*STUDENTS, *STAFF}, work),
    "submission-pdf": Row({*STUDENTS, *STAFF}, lambda things: [*work(things), things.more["work"].files.get().pk]),
    "deliverable-add": Row(INSTRUCTOR, offering),
    "deliverable-edit": Row(INSTRUCTOR, one("unused")),
    "deliverable-remove": Row(INSTRUCTOR, one("unused"), "post", found=302),
}
