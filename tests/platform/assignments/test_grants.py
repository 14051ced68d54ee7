"""Granting and revoking: whole or not at all, never less time than stands, each with its line, and what students see of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.urls import reverse

from assignments.due.models import Accommodation, Extension
from assignments.due.rules import ExtraTime, Rule, Unit
from assignments.due.selectors import decided_for_all
from assignments.due.services import GrantRefused, grant_accommodations, grant_extensions, let_tas_extend, revoke
from audit.models import AuditEvent
from tests.factories import ExtensionFactory, ReadingFactory, person
from tests.platform.readings.summaries.posts import whole

pytestmark = pytest.mark.django_db
SECRET = "a diagnosis that is nobody's business"


@pytest.fixture(autouse=True)
def _winter(world, at):
    at(datetime(2026, 2, 2, 18, tzinfo=UTC))
    world.lab.opens_at = datetime(2026, 1, 26, 6, tzinfo=UTC)
    world.lab.due_at = datetime(2026, 2, 7, 5, 59, 59, tzinfo=UTC)
    world.lab.save()


@pytest.fixture
def form(world):
    return {
        "assignment": world.lab.pk,
        "due_on": "2026-02-10",
        "due_time": "23:59:59",
        "students": [world.student.pk],
        "addresses": "",
        "reason": "was ill",
    }


@pytest.fixture
def extra(world):
    return {"amount": "2", "unit": "days", "students": [world.student.pk], "addresses": "", "reason": SECRET}


def url(world, name: str, *more: int) -> str:
    return reverse(name, args=[world.offering.slug, *more])


def extend(world, days: int = 3, *who, by=None):
    return grant_extensions(
        assignment=world.lab,
        enrollments=list(who or [world.student]),
        due_at=world.lab.due_at + timedelta(days=days),
        reason="was ill",
        by=(by or world.instructor).user,
    )


def accommodate(world, *who, time: ExtraTime | None = None):
    return grant_accommodations(
        enrollments=list(who or [world.student]),
        time=time or ExtraTime(2, Unit.DAYS),
        reason=SECRET,
        by=world.instructor.user,
    )


def test_many_students_get_an_extension_by_list_and_by_pasted_lines(world, browser, form):
    third = person(world.offering)
    pasted = f"\n  {world.classmate.user.email.upper()} \r\n{third.user.email}\n{world.student.user.email}\n"
    response = browser(world.instructor).post(url(world, "extension-grant"), form | {"addresses": pasted})
    assert response.status_code == 302
    granted = {row.enrollment_id for row in Extension.objects.all()}
    assert granted == {world.student.pk, world.classmate.pk, third.pk}
    assert world.lab.due_for(third) == datetime(2026, 2, 11, 5, 59, 59, tzinfo=UTC)
    assert AuditEvent.objects.filter(action="granted an extension").count() == 3


def test_each_unknown_line_is_named_and_nothing_is_granted(world, browser, form):
    pasted = f"{world.classmate.user.email}\nnobody@example.edu\n\n{world.ta.user.email}\n<b>x</b>"
    response = browser(world.instructor).post(url(world, "extension-grant"), form | {"addresses": pasted})
    page = response.content.decode()
    assert response.status_code == 422
    assert "line 2: nobody@example.edu" in page
    assert f"line 4: {world.ta.user.email}" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x" not in page
    assert "was ill" in page
    assert not Extension.objects.exists()


def test_a_date_earlier_than_what_stands_is_refused_by_name(world, browser, form):
    extend(world, 5, world.classmate)
    both = form | {"students": [world.student.pk, world.classmate.pk]}
    response = browser(world.instructor).post(url(world, "extension-grant"), both)
    page = response.content.decode()
    assert response.status_code == 422
    assert "Kofi Mensah: Due Wed 11 Feb 2026, 23:59:59 CST, moved from 6 Feb by an extension" in page
    assert "Ada Lindqvist: Due" not in page
    assert "was ill" in page
    assert world.lab.due_for(world.student) == world.lab.due_at


def test_an_extension_shorter_than_the_extra_time_is_refused(world):
    accommodate(world)
    with pytest.raises(GrantRefused, match="by an accommodation of 2 days"):
        extend(world, 1)
    assert not Extension.objects.exists()


@pytest.mark.parametrize("days", [-5, 0])
def test_a_date_that_gives_no_time_is_refused(world, days):
    with pytest.raises(GrantRefused, match=r"has passed already|not later than what stands"):
        extend(world, days)


def test_the_same_grant_twice_is_one(world):
    extend(world)
    extend(world)
    assert Extension.objects.count() == 1
    assert AuditEvent.objects.filter(action="granted an extension").count() == 1


def test_extra_time_that_changes_nothing_is_refused(world):
    accommodate(world, world.student, world.classmate, time=ExtraTime(2, Unit.DAYS))
    for less in (
        ExtraTime(2, Unit.DAYS),
        ExtraTime(24, Unit.HOURS),
        ExtraTime(1, Unit.DAYS, frozenset({"lab"})),
        ExtraTime(2, Unit.DAYS, first_on=date(2026, 3, 1)),
    ):
        with pytest.raises(GrantRefused, match="Ada Lindqvist has 2 days of standing extra time already"):
            accommodate(world, time=less)
    accommodate(world, time=ExtraTime(3, Unit.DAYS, frozenset({"lab"})))
    assert world.lab.due_for(world.student) == world.lab.due_at + timedelta(days=3)


def test_revoking_gives_the_earlier_rule_back_and_says_why(world, browser):
    (extension,) = extend(world)
    accommodate(world)
    client = browser(world.instructor)
    client.post(url(world, "extension-revoke", extension.pk), {"reason": "granted by mistake"})
    assert world.lab.due_date_for(world.student).rule == Rule.ACCOMMODATION
    page = browser(world.student).get(url(world, "dates")).content.decode()
    assert "granted by mistake" in page
    line = AuditEvent.objects.get(action="revoked an extension")
    assert (line.actor_name, line.reason) == ("Ines Carvalho", "granted by mistake")
    assert "23:59:59 CST" in line.before
    again = client.post(url(world, "extension-revoke", extension.pk), {"reason": "and again"}, follow=True)
    assert "revoked already" in again.content.decode()
    assert AuditEvent.objects.filter(action="revoked an extension").count() == 1


@pytest.mark.parametrize("reason", ["", "  ", "no", "x" * 2001])
def test_nothing_is_revoked_without_a_reason(world, browser, reason):
    (extension,) = extend(world)
    browser(world.instructor).post(url(world, "extension-revoke", extension.pk), {"reason": reason})
    assert world.lab.due_date_for(world.student).rule == Rule.EXTENSION


def test_after_a_revoked_one_another_may_be_granted(world):
    (first,) = extend(world)
    revoke(grant=first, reason="by mistake", by=world.instructor.user)
    extend(world, 1)
    assert Extension.objects.count() == 2
    assert world.lab.due_for(world.student) == world.lab.due_at + timedelta(days=1)


def test_the_trail_tells_from_when_to_when_and_why(world):
    extend(world)
    line = AuditEvent.objects.get(action="granted an extension")
    assert line.before == "Ada Lindqvist, Lab 1: Tiny: Due Fri 6 Feb 2026, 23:59:59 CST"
    assert line.after == "Ada Lindqvist, Lab 1: Tiny: due Mon 9 Feb 2026, 23:59:59 CST"
    assert (line.actor_name, line.reason, line.offering_id) == ("Ines Carvalho", "was ill", world.offering.pk)


def test_the_reason_is_for_staff_alone(world, browser):
    accommodate(world)
    extend(world, 5)
    assert SECRET in browser(world.ta).get(url(world, "extensions")).content.decode().replace("&#x27;", "'")
    for name in ("dates", "schedule", "labs", "dashboard"):
        page = browser(world.student).get(url(world, name)).content.decode()
        assert "diagnosis" not in page
        assert "was ill" not in page
    assert "2 days" in browser(world.student).get(url(world, "dates")).content.decode()


def test_the_rule_is_named_wherever_the_date_stands(world, browser):
    extend(world)
    why = "moved from 6 Feb by an extension"
    lab = reverse("lab", args=[world.offering.slug, world.lab.slug])
    for page in (url(world, "dates"), url(world, "schedule"), url(world, "labs"), url(world, "dashboard"), lab):
        assert why in browser(world.student).get(page).content.decode(), page
        assert why not in browser(world.classmate).get(page).content.decode(), page
    sentence = "Due Mon 9 Feb 2026, 23:59:59 CST, moved from 6 Feb by an extension"
    assert sentence in browser(world.ta).get(url(world, "extensions")).content.decode()


def test_the_rule_is_named_on_a_readings_pages_and_so_is_the_second_of_a_refusal(world, browser, at):
    reading = ReadingFactory(
        assignment__offering=world.offering,
        assignment__opens_at=world.lab.opens_at,
        assignment__due_at=world.lab.due_at,
    ).assignment
    accommodate(world)
    client, own = browser(world.student), reverse("reading", args=[world.offering.slug, reading.slug])
    for page in (url(world, "readings"), own):
        assert "moved from 6 Feb by an accommodation of 2 days" in client.get(page).content.decode()
        assert "moved from" not in browser(world.classmate).get(page).content.decode()
    at(world.lab.due_at + timedelta(days=2, seconds=1))
    late = client.post(reverse("reading-submit", args=[world.offering.slug, reading.slug]), whole())
    assert late.status_code == 422
    assert "was due Sun 8 Feb 2026, 23:59:59 CST, moved from 6 Feb by an accommodation" in late.content.decode()
    assert 'datetime="2026-02-08T23:59:59-06:00"' in late.content.decode()


def test_tas_grant_extensions_where_the_instructor_lets_them(world, browser, form, extra):
    ta = browser(world.ta)
    assert "Grant an extension" not in ta.get(url(world, "extensions")).content.decode()
    assert ta.post(url(world, "extension-grant"), form).status_code == 404
    browser(world.instructor).post(url(world, "extension-rights"), {"tas_extend": "on"})
    assert "Grant an extension" in ta.get(url(world, "extensions")).content.decode()
    assert ta.post(url(world, "extension-grant"), form).status_code == 302
    pk = Extension.objects.get().pk
    assert ta.post(url(world, "extension-revoke", pk), {"reason": "by mistake"}).status_code == 302
    # accommodations stay the instructor's
    assert ta.post(url(world, "accommodation-grant"), extra).status_code == 404
    let_tas_extend(offering=world.offering, allowed=False, by=world.instructor.user)
    assert ta.post(url(world, "extension-grant"), form).status_code == 404


def test_an_accommodation_is_granted_on_the_page(world, browser, extra):
    posted = extra | {"kinds": ["reading"], "first_on": "2026-02-01", "last_on": "2026-03-01"}
    assert browser(world.instructor).post(url(world, "accommodation-grant"), posted).status_code == 302
    made = Accommodation.objects.get()
    assert made.extra_time == ExtraTime(2, Unit.DAYS, frozenset({"reading"}), date(2026, 2, 1), date(2026, 3, 1))
    assert world.lab.due_date_for(world.student).rule == Rule.ASSIGNMENT
    page = browser(world.student).get(url(world, "dates")).content.decode()
    assert "2 days, for readings, due from 1 Feb 2026 until 1 Mar 2026" in page


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("assignment", "", "choose an assignment"),
        ("assignment", "999999", "choose an assignment"),
        ("due_on", "30 February", "year-month-day"),
        ("due_on", "9999-12-31", "year is out of reach"),
        ("due_on", "0001-01-01", "year is out of reach"),
        ("due_time", "25:00", "hours:minutes:seconds"),
        ("students", ["999999"], "not in this offering"),
        ("students", ["x"], "not in this offering"),
        ("students", [], "at least one student"),
        ("reason", "", "give a reason"),
        ("reason", "ok", "give a reason"),
        ("addresses", "a@b.c\n" * 1001, "more than 1000 lines"),
    ],
)
def test_a_bad_extension_comes_back_with_a_sentence(world, browser, form, *, field, value, said):
    response = browser(world.instructor).post(url(world, "extension-grant"), form | {field: value})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Extension.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "0"}, "at least 1"),
        ({"amount": "two"}, "whole number"),
        ({"amount": "366"}, "lasts"),
        ({"amount": "9" * 30}, "lasts"),
        ({"unit": "weeks"}, "choose a unit"),
        ({"kinds": ["exam"]}, "labs, readings"),
        ({"first_on": "2026-03-01", "last_on": "2026-02-01"}, "before the first"),
    ],
)
def test_a_bad_accommodation_comes_back_with_a_sentence(world, browser, extra, changes, said):
    response = browser(world.instructor).post(url(world, "accommodation-grant"), extra | changes)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Accommodation.objects.exists()


def test_people_and_work_of_another_offering_are_out_of_reach(world, browser, form):
    client = browser(world.instructor)
    for changes in ({"students": [world.other_student.pk]}, {"assignment": world.other_lab.pk}):
        assert client.post(url(world, "extension-grant"), form | changes).status_code == 422
    theirs = ExtensionFactory(assignment=world.other_lab, enrollment=world.other_student)
    assert client.post(url(world, "extension-revoke", theirs.pk), {"reason": "not mine"}).status_code == 404
    assert Extension.objects.standing().get() == theirs


def test_a_time_that_the_clocks_skip_is_the_later_one(world, browser, form):
    skipped = form | {"due_on": "2026-03-08", "due_time": "02:30:00"}
    browser(world.instructor).post(url(world, "extension-grant"), skipped)
    assert world.lab.due_for(world.student) == datetime(2026, 3, 8, 8, 30, tzinfo=UTC)


def test_the_list_is_searched_by_every_word(world, browser):
    extend(world, 3, world.student, world.classmate)
    client = browser(world.ta)

    def listed(query: str) -> str:
        page = client.get(url(world, "extensions"), {"q": query}).content.decode()
        return page[page.index("<h2>Extensions</h2>") :]

    assert "Ada Lindqvist" in listed("")
    assert "Kofi Mensah" not in listed("ada tiny")
    assert "Ada Lindqvist" in listed("ada tiny")
    assert "No extension matches" in listed("ada zebra")


def test_many_students_and_assignments_cost_no_more_queries(world, django_assert_num_queries):
    readings = [ReadingFactory(assignment__offering=world.offering).assignment for _ in range(5)]
    students = [person(world.offering) for _ in range(5)]
    accommodate(world, *students)
    assert readings
    world.lab.offering  # noqa: B018 - fetched before counting
    with django_assert_num_queries(2):
        dates = decided_for_all(world.lab, [student.pk for student in students])
    assert {due.rule for due in dates.values()} == {Rule.ACCOMMODATION}
