"""The audit log as a page and as a file: what each filter finds, who may read what, and pages that do not shift."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from assignments.due.services import grant_extension
from audit.models import AuditEvent
from audit.selectors import history_of
from audit.services import record
from config import clock
from courses.models import Role
from courses.services import enroll
from reviews.services import override
from tests.factories import UserFactory, reported, submit
from web.selectors.audit import PER_PAGE, audit_page

pytestmark = pytest.mark.django_db


@pytest.fixture
def acts(world):
    """A score, an extension and a role; and something of another offering."""
    submission = reported(submit(world.lab, world.student), 3.0, 4.0)
    item = world.lab.rubric.items.get(task_id="1")
    override(submission=submission, item=item, score=Decimal(6), reason="the sign was right", by=world.ta.user)
    later = clock.now() + timedelta(days=9)
    grant_extension(
        assignment=world.lab, enrollment=world.classmate, due_at=later, reason="ill", by=world.instructor.user
    )
    enroll(offering=world.offering, user=UserFactory(name="New Person"), role=Role.TA, by=world.instructor.user)
    record(actor=None, action="tested", subject=world.other_lab, offering_id=world.other_lab.offering_id)
    return submission


def actions(enrollment, **filters) -> list[str]:
    return [row.event.action for row in audit_page(enrollment, filters).rows]


def test_an_instructor_reads_everything_of_the_offering_the_latest_first(world, acts):
    assert actions(world.instructor) == ["enrolled", "granted an extension", "overrode"]


def test_a_teaching_assistant_reads_what_concerns_scores(world, acts):
    assert actions(world.ta) == ["overrode"]
    assert actions(world.ta, kind="Extension") == ["overrode"], "a kind that the viewer may not see is no filter"


def test_an_event_names_its_subject_and_its_student(world, acts):
    rows = {row.event.action: row.subject for row in audit_page(world.instructor, {}).rows}
    assert (rows["overrode"].label, rows["overrode"].student) == (f"{world.lab.label}, attempt 1", "Ada Lindqvist")
    assert rows["overrode"].url == reverse("submission", args=[acts.pk])
    assert rows["granted an extension"].student == "Kofi Mensah"
    assert rows["enrolled"].student == "New Person"


def test_what_is_gone_keeps_its_line(world):
    record(actor=None, action="tested", subject=world.lab, offering_id=world.offering.pk)
    AuditEvent.objects.bulk_create(
        [AuditEvent(at=clock.now(), action="x", subject_type="Nothing", subject_id=9, offering_id=world.offering.pk)]
    )
    assert [row.subject.label for row in audit_page(world.instructor, {}).rows] == ["Nothing 9", world.lab.label]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"who": "Priya Raman"}, ["overrode"]),
        ({"who": "Ines Carvalho"}, ["enrolled", "granted an extension"]),
        ({"action": "granted an extension"}, ["granted an extension"]),
        ({"kind": "Submission"}, ["overrode"]),
        ({"student": "lindqvist"}, ["overrode"]),
        ({"student": "kofi.mensah@example.edu"}, ["granted an extension"]),
        ({"student": "nobody of that name"}, []),
        ({"text": "SIGN WAS"}, ["overrode"]),
        ({"text": "ill", "who": "Ines Carvalho"}, ["granted an extension"]),
        ({"text": "ill", "who": "Priya Raman"}, []),
    ],
)
def test_each_filter_finds_its_own(world, acts, filters, found):
    assert actions(world.instructor, **filters) == found


def test_days_are_those_of_the_offering(world, at):
    """In Chicago the evening of 3 March is already 4 March in UTC."""
    at(datetime(2026, 3, 4, 3, 0, tzinfo=UTC))
    record(actor=None, action="evening", subject=world.lab, offering_id=world.offering.pk)
    at(datetime(2026, 3, 4, 7, 0, tzinfo=UTC))
    record(actor=None, action="next day", subject=world.lab, offering_id=world.offering.pk)
    assert actions(world.instructor, first="2026-03-03", last="2026-03-03") == ["evening"]
    assert actions(world.instructor, first="2026-03-04") == ["next day"]
    assert actions(world.instructor, last="2026-03-02") == []


@pytest.mark.parametrize(
    "filters",
    [
        {"first": "yesterday"},
        {"first": "0001-01-01"},
        {"last": "9999-12-31"},
        {"who": "Nobody"},
        {"text": "a\0b"},
        {"student": "x" * 201},
    ],
)
def test_a_filter_that_cannot_be_read_is_named_and_left_out(world, acts, browser, filters):
    response = browser(world.instructor).get(reverse("audit", args=[world.offering.slug]), filters)
    assert response.status_code == 200
    assert "it was left out" in response.content.decode()
    assert response.context["page"].rows


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40, "٣", "0"])
def test_a_cursor_that_is_none_is_the_first_page(world, acts, before):
    assert actions(world.instructor, before=before) == ["enrolled", "granted an extension", "overrode"]


def test_pages_do_not_shift_when_something_is_added(world):
    for number in range(PER_PAGE + 10):
        record(actor=None, action=f"{number}", subject=world.lab, offering_id=world.offering.pk)
    first = audit_page(world.instructor, {})
    record(actor=None, action="new", subject=world.lab, offering_id=world.offering.pk)
    second = audit_page(world.instructor, {"before": str(first.older)})
    read = [row.event.action for row in (*first.rows, *second.rows)]
    assert read == [str(number) for number in reversed(range(PER_PAGE + 10))]
    assert second.older is None


def test_the_file_holds_all_that_the_filters_find_and_no_formula(world, browser):
    for number in range(PER_PAGE + 10):
        record(actor=None, action="tested", subject=world.lab, offering_id=world.offering.pk, reason=f"=cmd|{number}")
    record(actor=None, action="other", subject=world.lab, offering_id=world.offering.pk)
    response = browser(world.instructor).get(reverse("audit-file", args=[world.offering.slug]), {"action": "tested"})
    header, *lines = csv.reader(io.StringIO(response.content.decode()))
    assert header[:3] == ["at", "who", "action"]
    assert len(lines) == PER_PAGE + 10
    assert {line[-1][:2] for line in lines} == {"'="}


def test_a_score_shows_its_own_history_to_staff_alone(world, acts, browser):
    other = reported(submit(world.lab, world.classmate))
    assert [event.action for event in history_of(acts)] == ["overrode"]
    assert history_of(other) == ()
    url = reverse("submission", args=[acts.pk])
    assert "the sign was right" in browser(world.ta).get(url).content.decode()
    assert "the sign was right" not in browser(world.student).get(url).content.decode(), "it is not released"
