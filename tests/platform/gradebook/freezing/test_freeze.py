"""Freezing, lifting, the checklist before it, and what differs afterwards."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment
from gradebook.freezing.checklist import checklist
from gradebook.freezing.compare import compare
from gradebook.freezing.document import sha256_of
from gradebook.freezing.frozen import read
from gradebook.freezing.pages import grades_now
from gradebook.freezing.selectors import final_of, freeze_of
from gradebook.freezing.services import FreezeRefused, freeze, lift, take_snapshot
from gradebook.models import Component, Snapshot
from gradebook.policies.services import change_scheme
from gradebook.sources.collect import collect
from reviews.regrades.models import Scope
from reviews.regrades.services import start
from reviews.requests.models import RegradeRequest
from submissions.models import Draft
from tests.factories import AssignmentFactory, deliverable, failed, person, reported, submit, team
from tests.platform.gradebook.classes import decide, random_scores, small_class
from tests.platform.gradebook.policies.test_rules import published

pytestmark = pytest.mark.django_db
NOTE = "final in spite of that"


@pytest.fixture
def klass(world):
    small_class(3, world.offering)
    return world


def settle(offering):
    """A number for everyone at everything."""
    for student in Enrollment.objects.students().filter(offering=offering):
        for part in (
            *offering.components.filter(kind__in=("participation", "presentation")),
            *offering.assignments.all(),
        ):
            decide(student, part, "90")


def open_titles(offering):
    return [check.title for check in checklist(offering) if check.is_open]


def things(offering, title):
    return [thing for check in checklist(offering) if check.title == title for thing in check.things]


def test_when_all_is_settled_a_freeze_needs_no_note(klass):
    settle(klass.offering)
    assert open_titles(klass.offering) == []
    made = freeze(offering=klass.offering, by=klass.instructor.user)
    event = AuditEvent.objects.get(action="froze the grades")
    assert event.offering_id == klass.offering.pk
    assert made.sha256 in event.after
    assert made.sha256 == sha256_of(made.data)


def test_while_something_is_open_a_freeze_needs_a_note(klass):
    with pytest.raises(FreezeRefused, match="Numbers to come"):
        freeze(offering=klass.offering, by=klass.instructor.user, note=" ")
    assert not Snapshot.objects.exists()
    assert freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE).note == NOTE


def test_the_checklist_names_each_open_thing_with_its_place(klass):
    offering, lab = klass.offering, klass.lab
    slug = offering.slug
    settle(offering)
    klass.student.grade_decisions.filter(assignment=lab).delete()
    submit(lab, klass.student)  # nobody ran it yet
    klass.classmate.grade_decisions.filter(assignment=lab).delete()
    done = reported(submit(lab, klass.classmate))
    RegradeRequest.objects.create(submission=done, asked_by=klass.classmate, reason="because", asked_at=clock.now())
    Component.objects.filter(offering=offering, kind="labs").update(weight=22)
    start(assignment=lab, scope=Scope.COUNTING, by=klass.ta.user)
    found = {
        check.title: [(thing.text, thing.url) for thing in check.things]
        for check in checklist(offering)
        if check.is_open
    }
    assert found["Work to grade"] == [("Lab 1: Tiny: 1 student", reverse("lab-submissions", args=[slug, "tiny"]))]
    assert found["Scores to release"] == [("Lab 1: Tiny: 1 student", reverse("release", args=[slug, "tiny"]))]
    assert found["Regrade requests"] == [("1 waits", reverse("regrade-requests", args=[slug]))]
    assert found["Runs of the grader"] == [("1 still to run", reverse("grader-health", args=[slug]))]
    assert found["Regrades of labs"] == [
        ("Lab 1: Tiny: regrade 1 is neither applied nor discarded", reverse("lab-regrade", args=[slug, "tiny", 1]))
    ]
    assert "add up to 101" in found["Weights and letters"][0][0]
    assert set(found) == {
        *("Work to grade", "Scores to release", "Regrade requests", "Runs of the grader", "Regrades of labs"),
        "Weights and letters",
    }


def test_a_run_that_needs_staff_is_open(klass):
    failed(submit(klass.lab, klass.student).jobs.get())
    assert [thing.text for thing in things(klass.offering, "Runs of the grader")] == ["1 needs staff"]


def test_what_was_typed_and_is_missing_is_worth_a_look(klass, at):
    now = clock.now()
    late = AssignmentFactory(
        offering=klass.offering, slug="late", number=2, title="Late", due_at=now + timedelta(days=1)
    )
    for who in (klass.student, klass.classmate):
        Draft.objects.create(assignment=late, enrollment=who, cells={"a": "1"}, updated_at=now)
    submit(late, klass.classmate)
    assert things(klass.offering, "Drafts") == []
    at(now + timedelta(days=3))
    assert [thing.text for thing in things(klass.offering, "Drafts")] == ["Lab 2: Late: 1 student"]


def test_students_without_a_team_are_named_where_there_are_projects(klass):
    assert things(klass.offering, "Teams") == []
    deliverable(klass.offering)
    team(klass.offering, klass.student)
    (thing,) = things(klass.offering, "Teams")
    assert "Kofi Mensah" in thing.text
    assert "Ada Lindqvist" not in thing.text


def test_frozen_grades_stay_whatever_happens_and_what_differs_is_told(klass):
    offering = klass.offering
    settle(offering)
    freeze(offering=offering, by=klass.instructor.user)
    before = final_of(offering)
    lab = offering.components.get(kind="presentation")
    klass.student.grade_decisions.filter(component=lab).delete()
    decide(klass.student, lab, "40")
    after = final_of(offering)
    assert after == before
    now = grades_now(offering, collect(offering))
    found = compare(after.content, now)
    mine = next(row for row in found.students if row.enrollment_pk == klass.student.pk)
    assert [(part.title, part.before, part.after) for part in mine.parts] == [
        ("Final research project presentation", "90 of 100", "40 of 100")
    ]
    assert mine.why == "Final research project presentation: 90 of 100 → 40 of 100"
    assert mine.final_before == 90
    assert mine.final_after < 90
    assert not found.policy_changed


def test_who_came_who_left_and_a_new_policy_are_told(klass):
    offering = klass.offering
    settle(offering)
    kept = take_snapshot(offering=offering, by=klass.instructor.user)
    newcomer = person(offering, name="New Comer")
    klass.classmate.dropped_at = clock.now()
    klass.classmate.save()
    decide(klass.student, offering.components.get(kind="midterm"), None)
    change_scheme(offering=offering, spec=published("B"), by=klass.instructor.user, reason="because")
    found = compare(read(kept.data), grades_now(offering, collect(offering)))
    assert (found.came, found.left) == ((newcomer.user.name,), ("Kofi Mensah",))
    assert found.policy_changed
    assert compare(read(kept.data), read(kept.data)).is_empty


def test_a_rank_that_others_changed_is_told_as_that(klass):
    offering = klass.offering
    students = [person(offering) for _ in range(10)]
    part = offering.components.get(kind="participation")
    for number, student in enumerate(students):
        decide(student, part, str(40 + number))
    kept = take_snapshot(offering=offering, by=klass.instructor.user)
    top = students[0].grade_decisions.get()
    top.points = Decimal(100)
    top.save()
    found = compare(read(kept.data), grades_now(offering, collect(offering)))
    others = [row for row in found.students if row.enrollment_pk != students[0].pk]
    assert others
    assert {row.why for row in others} == {"others' scores changed, and with them the rank"}


def test_a_freeze_is_lifted_with_a_reason_and_the_snapshot_stays(klass):
    made = freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    with pytest.raises(FreezeRefused, match="give a reason"):
        lift(snapshot=made, by=klass.instructor.user, reason="")
    assert lift(snapshot=made, by=klass.instructor.user, reason="a late regrade")
    assert not lift(snapshot=made, by=klass.instructor.user, reason="a late regrade")
    assert final_of(klass.offering) is freeze_of(klass.offering) is None
    assert AuditEvent.objects.get(action="lifted the freeze of grades").reason == "a late regrade"
    again = freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    assert final_of(klass.offering).snapshot_pk == again.pk
    assert again.sha256 == made.sha256


def test_grades_are_frozen_once(klass):
    freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    with pytest.raises(FreezeRefused, match="frozen already, by Ines Carvalho"):
        freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    kept = take_snapshot(offering=klass.offering, by=klass.instructor.user)
    with pytest.raises(FreezeRefused, match="freezes nothing"):
        lift(snapshot=kept, by=klass.instructor.user, reason="because")


def test_an_empty_class_has_no_grades_to_keep(world):
    Enrollment.objects.filter(offering=world.offering, role="student").update(dropped_at=clock.now())
    with pytest.raises(FreezeRefused, match="no students"):
        take_snapshot(offering=world.offering, by=world.instructor.user)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_freezes(world):
    small_class(2, world.offering)

    def act(_):
        try:
            freeze(offering=world.offering, by=world.instructor.user, note=NOTE)
        except FreezeRefused:
            return "refused"
        finally:
            connection.close()
        return "frozen"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(act, range(2))) == ["frozen", "refused"]
    assert Snapshot.objects.filter(final=True).count() == 1


def url(world, name, *args):
    return reverse(name, args=[world.offering.slug, *args])


def test_the_pages_freeze_compare_and_lift(klass, browser):
    client = browser(klass.instructor)
    refused = client.post(url(klass, "freeze"), {"note": "x"})
    assert refused.status_code == 422
    assert "Nothing was frozen" in refused.content.decode()
    assert client.post(url(klass, "snapshot-keep"), {"note": "before"}).status_code == 302
    assert client.post(url(klass, "freeze"), {"note": NOTE}).status_code == 302
    kept, final = Snapshot.objects.order_by("pk")
    page = client.get(url(klass, "freezing")).content.decode()
    assert "The sources say now what they said then." in page
    decide(klass.student, klass.offering.components.get(kind="presentation"), "50")
    page = client.get(url(klass, "freezing")).content.decode()
    assert "Differs from the frozen grade" in page
    assert "not due → 50 of 100" in page
    one = client.get(url(klass, "snapshot", final.pk), {"against": kept.pk}).content.decode()
    assert "Nothing differs" in one
    assert "Has its hash" in one
    assert client.post(url(klass, "snapshot-lift", final.pk), {"note": ""}).status_code == 422
    too_long = client.post(url(klass, "snapshot-lift", final.pk), {"note": "x" * 2001})
    assert "below 2,000" in too_long.content.decode()
    assert client.post(url(klass, "snapshot-lift", final.pk), {"note": "a late regrade"}).status_code == 302
    assert freeze_of(klass.offering) is None


def test_a_downloaded_snapshot_is_verified(klass, browser, tmp_path, capsys):
    random_scores(klass.offering, [klass.student], 9)
    made = freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    answer = browser(klass.ta).get(url(klass, "snapshot-file", made.pk))
    assert answer.headers["Content-Disposition"].endswith(f'-{made.sha256[:12]}.json"')
    file = tmp_path / "grades.json"
    file.write_bytes(answer.content)
    call_command("verify_snapshot", str(file))
    told = capsys.readouterr().out
    assert made.sha256 in told
    assert "Every grade in it follows" in told
    assert f"final grades {made.pk}" in told
    call_command("verify_snapshot", str(file), sha256=made.sha256.upper())
    data = json.loads(file.read_text())
    data["students"][0]["name"] = "Somebody Else"
    file.write_text(json.dumps(data, sort_keys=True, separators=(",", ":")))
    with pytest.raises(CommandError, match="No snapshot with this hash"):
        call_command("verify_snapshot", str(file))
    with pytest.raises(CommandError, match="not that snapshot"):
        call_command("verify_snapshot", str(file), sha256=made.sha256)
    data["students"][0]["grade"]["final"] = str(Fraction(99))
    file.write_text(json.dumps(data))
    with pytest.raises(CommandError, match="do not follow"):
        call_command("verify_snapshot", str(file))
    file.write_bytes(b"\xff\x00")
    with pytest.raises(CommandError, match="no snapshot of grades"):
        call_command("verify_snapshot", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_snapshot", str(tmp_path / "none.json"))


@pytest.mark.parametrize("name", ["freezing", "snapshot"])
def test_the_pages_ask_the_same_for_any_class(name, klass, browser):
    made = freeze(offering=klass.offering, by=klass.instructor.user, note=NOTE)
    client, args = browser(klass.ta), [made.pk] if name == "snapshot" else []

    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(klass, name, *args)).status_code == 200
        return len(queries)

    asked()
    few = asked()
    random_scores(klass.offering, [person(klass.offering) for _ in range(20)], 3)
    assert asked() == few
