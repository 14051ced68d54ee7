"""Every URL, for everyone who might knock: nobody, a stranger, student, classmate, TA, instructor, another offering's people."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model
from django.urls import get_resolver, reverse

from assignments.models import Assignment
from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment
from grading.models import Drain, GradingJob
from reviews.marking.models import Adjustment, Claim, Mark, Review
from reviews.models import RubricScore
from reviews.regrades.models import LabRegrade, ScoreChange
from submissions.models import Draft, PracticeRun, Submission
from tests.factories import reported, submit
from tests.platform.web.matrix.things import Things
from tests.platform.web.rows import EVERYONE, MEMBERS, OWN, ROLES, SIGNED_IN, STAFF, Row, parts


def offering(things):
    return [things.offering.slug]


def lab(things):
    return [things.offering.slug, things.lab.slug]


def submission(things):
    return [things.first.pk]


def regrade(things):
    return [things.offering.slug, things.lab.slug, things.regrade.number]


def job(things):
    return [things.job.pk]


def worker(things):
    return [things.offering.slug, things.worker.pk]


MATRIX = {
    "home": Row(SIGNED_IN),
    "sign-in": Row(EVERYONE),
    "sign-out": Row(EVERYONE, method="post", found=302),
    "health": Row(EVERYONE),
    "patterns": Row({*STAFF, "other_instructor"}),
    "guide": Row(SIGNED_IN, lambda _: ["student"]),
    "dashboard": Row(MEMBERS, offering),
    "schedule": Row(MEMBERS, offering),
    "labs": Row(MEMBERS, offering),
    "readings": Row(MEMBERS, offering),
    "grades": Row(MEMBERS, offering),
    "scores": Row(STAFF, offering),
    "people": Row(STAFF, offering),
    "lab": Row(MEMBERS, lab),
    "lab-starter": Row(MEMBERS, lab),
    "lab-attempts": Row(MEMBERS, lab),
    "lab-submissions": Row(STAFF, lab),
    "lab-limits": Row({"instructor"}, lab),
    "lab-draft": Row(MEMBERS, lab, "post", lambda _: {"cell-x": "1", "revision": "0"}, 302),
    # an empty post is refused with a sentence, on the lab page; staff do not hand in
    "lab-run": Row(MEMBERS, lab, "post", found=422),
    "lab-submit": Row(MEMBERS, lab, "post", found=422),
    "submission": Row(OWN, submission),
    "submission-report": Row(OWN, submission),
    "submission-receipt": Row(OWN, submission),
    "submission-receipt-file": Row(OWN, submission),
    # who holds a receipt may check it
    "receipt-check": Row(EVERYONE),
    "receipt-by-code": Row(EVERYONE, lambda things: [things.first.signed_receipt.code]),
    "submission-file": Row(OWN, lambda things: [things.first.pk, things.first.files.get().pk]),
    "submission-compare": Row(OWN, lambda things: [things.first.pk, things.second.pk]),
    "submission-override": Row(
        STAFF, submission, "post", lambda things: {"item": things.item.pk, "score": "1", "reason": "because"}, 302
    ),
    "submission-release": Row(STAFF, submission, "post", found=302),
    "submission-regrade": Row(STAFF, submission, "post", found=302),
    "grader-health": Row(STAFF, offering),
    "grader-drain": Row(STAFF, offering, "post", found=302),
    "grader-resume": Row(STAFF, offering, "post", found=302),
    "worker-drain": Row(STAFF, worker, "post", found=302),
    "worker-resume": Row(STAFF, worker, "post", found=302),
    # for whoever brings the token, and for nobody by a sign-in: test_metrics.py
    "metrics": Row(EVERYONE, found=404),
    "lab-regrades": Row(STAFF, lab),
    "lab-regrade-start": Row(STAFF, lab, "post", lambda _: {"scope": "all"}, 302),
    "lab-regrade": Row(STAFF, regrade),
    "lab-regrade-scores": Row(STAFF, regrade),
    "lab-regrade-discard": Row(STAFF, regrade, "post", found=302),
    # what is final is for instructors
    "lab-regrade-apply": Row({"instructor"}, regrade, "post", lambda _: {"reason": "because"}, 302),
    "lab-regrade-revert": Row({"instructor"}, regrade, "post", lambda _: {"reason": "because"}, 302),
    "score-change-seen": Row(MEMBERS, lab, "post", found=302),
    "job-progress": Row(OWN, job),
    "job-events": Row(OWN, job),
    "job-cancel": Row(OWN, job, "post", found=302),
}


MATRIX |= {name: row for part in parts() for name, row in part.ROWS.items()}


def names_of_all_urls() -> set[str]:
    return {name for name in get_resolver().reverse_dict if isinstance(name, str)}


def knock(client, row: Row, name: str, things: Things):
    """The answer, read to its end as a browser would: a file that is sent is closed then."""
    response = getattr(client, row.method)(reverse(name, args=row.args(things)), row.data(things))
    return response if response.streaming and response.is_async else _read(response)


def _read(response):
    for _ in response:
        continue
    return response


CHANGEABLE: tuple[type[Model], ...] = (
    Enrollment,
    Assignment,
    Submission,
    GradingJob,
    RubricScore,
    Draft,
    PracticeRun,
    Drain,
    LabRegrade,
    ScoreChange,
    Review,
    Mark,
    Claim,
    Adjustment,
    *(model for part in parts() for model in getattr(part, "MODELS", ())),
)


def rows_of(model: type[Model]) -> list[dict[str, Any]]:
    """As the database has them: a query through the model takes ten times as long, and there are half a million."""
    table, key = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}" ORDER BY "{key}"')
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def state_of_the_world() -> list[Any]:
    return [*map(rows_of, CHANGEABLE), AuditEvent.objects.count()]


def test_every_url_has_a_row():
    assert names_of_all_urls() == set(MATRIX)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", MATRIX)
def test_a_page_opens_for_those_who_may_and_for_nobody_else(name, role, world, things, browser):
    row = MATRIX[name]
    client = browser(None if role == "nobody" else getattr(world, role))
    if role in row.allowed:
        wanted = {row.found, 302} if name in {"home", "sign-in"} else {row.found}
        assert knock(client, row, name, things).status_code in wanted
        return
    before = state_of_the_world()
    response = knock(client, row, name, things)
    assert state_of_the_world() == before
    if role == "nobody":
        assert response.status_code == 302
        assert response.url.startswith(reverse("sign-in"))
    else:
        assert response.status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, row in MATRIX.items() if row.method == "post"])
def test_what_changes_something_cannot_be_reached_by_a_link(name, world, things, browser):
    before = state_of_the_world()
    response = browser(world.instructor).get(reverse(name, args=MATRIX[name].args(things)))
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert state_of_the_world() == before


# a launch comes from another site, and shows a signature instead of our token
WITHOUT_TOKEN = {"sign-out", "lti-launch"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name, row in MATRIX.items() if row.method == "post" and name not in WITHOUT_TOKEN]
)
def test_a_form_without_its_token_changes_nothing(name, world, things):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(world.instructor.user)
    before = state_of_the_world()
    response = knock(client, MATRIX[name], name, things)
    assert response.status_code == 403
    assert state_of_the_world() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name, row in MATRIX.items() if row.args is lab and row.method == "get" and "ta" in row.allowed]
)
def test_a_lab_that_is_not_open_is_not_there_for_students(name, world, things, browser, at):
    at(world.lab.opens_at.replace(year=world.lab.opens_at.year - 1))
    url = reverse(name, args=lab(things))
    assert browser(world.student).get(url).status_code == 404
    assert browser(world.ta).get(url).status_code == 200


@pytest.mark.django_db
def test_two_students_submissions_cannot_be_compared(world, things, browser):
    theirs = reported(submit(world.lab, world.classmate))
    url = reverse("submission-compare", args=[things.first.pk, theirs.pk])
    for who in (world.student, world.classmate, world.ta):
        assert browser(who).get(url).status_code == 404


@pytest.mark.django_db
def test_a_file_belongs_to_its_submission(world, things, browser):
    theirs = submit(world.lab, world.classmate).files.get()
    assert browser(world.student).get(reverse("submission-file", args=[things.first.pk, theirs.pk])).status_code == 404


# what a hostile form would add: other people's names, roles, scores, dates, and fields of ours
EXTRAS = {
    "user": "1",
    "user_id": "1",
    "enrollment": "1",
    "enrollment_id": "1",
    "student": "1",
    "role": "instructor",
    "is_staff": "1",
    "is_superuser": "1",
    "grader": "1",
    "grader_id": "1",
    "by": "1",
    "purpose": "first",
    "number": "99",
    "created_at": "2020-01-01T00:00",
    "released_at": "2020-01-01T00:00",
    "late": "0",
    "status": "finished",
    "fence": "99",
    "offering": "1",
    "offering_id": "1",
    "assignment_id": "1",
    "submission_id": "1",
    "pk": "1",
    "id": "1",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, row in MATRIX.items() if row.method == "post" and name != "sign-out"])
def test_fields_that_a_form_does_not_have_change_nothing(name, world, things, browser, at):
    """The same post with and without them, by everyone who may: the same rows, but for what is drawn by chance."""
    at(clock.now().replace(microsecond=0))
    row = MATRIX[name]
    for role in [role for role in ("student", "ta", "instructor") if role in row.allowed]:
        plain = row.data(things)
        added = {key: value for key, value in EXTRAS.items() if key not in plain and key not in row.fields}
        states = [_after(browser(getattr(world, role)), row, name, things, extra) for extra in ({}, added)]
        assert states[0] == states[1], role


def _after(client, row: Row, name: str, things: Things, extra: dict[str, str]) -> list[Any]:
    """The state of the world after a post that is then taken back."""
    data = row.data(things) | extra
    with transaction.atomic():
        response = client.post(reverse(name, args=row.args(things)), data)
        assert response.status_code == row.found
        state = _comparable(state_of_the_world())
        transaction.set_rollback(True)
    return state


def _comparable(state: list[Any]) -> list[Any]:
    """Without seeds, tokens and secrets, which are drawn anew each time."""
    drawn = {"seed", "client_token", "secret"}
    return [
        [{key: value for key, value in row.items() if key not in drawn} for row in part]
        if isinstance(part, list)
        else part
        for part in state
    ]


@pytest.mark.django_db
def test_extra_fields_of_a_post_are_nobodys_score(world, things, browser):
    data = {"score": "100", "user_id": world.classmate.user.pk, "status": "finished", "enrollment": world.classmate.pk}
    before = list(Submission.objects.values())
    browser(world.student).post(reverse("lab-submit", args=lab(things)), data)
    assert list(Submission.objects.values()) == before
    assert things.job.status == "requested"


@pytest.mark.django_db
def test_a_dry_runs_job_is_not_the_students(world, things, browser):
    trial = things.regrade.items.get().job
    for name in ("job-progress", "job-events"):
        assert browser(world.student).get(reverse(name, args=[trial.pk])).status_code == 404
    assert browser(world.student).post(reverse("job-cancel", args=[trial.pk])).status_code == 404
    assert browser(world.ta).get(reverse("job-progress", args=[trial.pk])).status_code == 200
