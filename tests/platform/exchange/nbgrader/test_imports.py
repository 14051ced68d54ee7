"""Points become decisions that name their source: previewed, taken over as one act, and withdrawn as one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment
from exchange.models import ImportedPoints, PointsImport
from exchange.nbgrader import services
from exchange.nbgrader.found import Found, ImportRefused, Points
from exchange.nbgrader.plan import guessed, plan_of
from exchange.nbgrader.services import Upload
from gradebook.book.parts import State
from gradebook.decisions.services import decide
from gradebook.models import Decision
from gradebook.presets import weights
from gradebook.services import create_scheme
from gradebook.sources.collect import collect
from tests.factories import AssignmentFactory, person
from tests.platform.exchange.nbgrader.gradebooks import Gradebook

pytestmark = pytest.mark.django_db


def found(student: str = "", points: str = "7", assignment: str = "ps1", **facts: str) -> Found:
    given = {"name": "", "email": "", "lms_id": "", "where": "row 2", "penalty": Decimal(0)} | facts
    return Found(assignment=assignment, student_id=student, points=Decimal(points), max_points=Decimal(10), **given)


def upload_of(world, *rows: Found) -> Upload:
    return Upload(Points(rows, (), ()), {"ps1": world.lab.pk}, "grades.csv")


def take(world, *rows: Found, reason: str = "") -> PointsImport:
    upload = upload_of(world, *rows)
    signed = services.sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=world.instructor.user)
    return services.take_over(offering=world.offering, signed=signed, reason=reason, by=world.instructor.user)


def standing(world) -> dict[int, Decision]:
    return {row.enrollment_id: row for row in Decision.objects.filter(withdrawn_at=None)}


def test_students_are_found_by_the_surest_of_their_names(world):
    Enrollment.objects.filter(pk=world.student.pk).update(sis_login="Ada2", lms_id="101")
    Enrollment.objects.filter(pk=world.classmate.pk).update(sis_id="671")
    points = Points(
        (
            found("x", email=world.student.user.email),
            found("671"),
            found("nobody", name="No Body"),
        ),
        (),
        (),
    )
    plan = plan_of(world.offering, points, {"ps1": world.lab.pk})
    assert [row.enrollment for row in plan.given] == [world.student, world.classmate]
    assert plan.unknown == ("row 2: “nobody” No Body is no student of this class.",)
    for row in (found("ADA2"), found("?", lms_id="101"), found("ada.lindqvist")):
        assert (
            plan_of(world.offering, Points((row,), (), ()), {"ps1": world.lab.pk}).given[0].enrollment == world.student
        )


def test_one_name_of_several_students_is_nobodys(world):
    person(world.offering, name="Other Ada", email="ada.lindqvist@elsewhere.example")
    plan = plan_of(world.offering, Points((found("ada.lindqvist"),), (), ()), {"ps1": world.lab.pk})
    assert plan.given == ()
    assert "may be several students: Ada Lindqvist, Other Ada" in plan.unknown[0]


def test_assignments_are_guessed_by_what_they_are_called(world):
    other = AssignmentFactory(offering=world.offering, slug="two", title="Second Lab", number=2)
    names = ["Tiny", "lab-2", "second_lab", "ps9"]
    assert guessed(world.offering, names) == {"Tiny": world.lab.pk, "lab-2": other.pk, "second_lab": other.pk}


def test_points_are_what_the_gradebook_reads_and_name_their_source(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    made = take(world, found("ada.lindqvist", penalty=Decimal("1.5")), reason="The lab ran there.")
    decision = Decision.objects.get()
    assert (decision.points, decision.max_points) == (7, 10)
    assert decision.reason == (
        "Points from nbgrader for ps1: 7 of 10, 1.5 taken off for being late. The lab ran there."
    )
    score = collect(world.offering).scores[world.student.pk]["lab:tiny"]
    assert (score.state, score.share) == (State.GRADED, Decimal("0.7"))
    assert made.source == "nbgrader, grades.csv"
    assert AuditEvent.objects.filter(action="imported points", subject_id=made.pk).count() == 1


def test_an_import_replaces_a_decision_and_its_withdrawal_brings_it_back(world):
    by = world.instructor.user
    decide(student=world.student, part=world.lab, points=None, reason="was ill", by=by)
    made = take(world, found("ada.lindqvist"), found("kofi.mensah", "3"))
    assert {pk: row.points for pk, row in standing(world).items()} == {world.student.pk: 7, world.classmate.pk: 3}
    assert services.withdraw(points_import=made, by=by) == 2
    (back,) = standing(world).values()
    assert (back.enrollment, back.excused) == (world.student, True)
    assert back.reason.startswith("was ill")
    assert services.withdraw(points_import=made, by=by) == 0
    assert len(standing(world)) == 1
    assert AuditEvent.objects.filter(action="withdrew imported points").count() == 1


def test_what_staff_decided_since_outlives_the_withdrawal(world):
    made = take(world, found("ada.lindqvist"))
    decide(student=world.student, part=world.lab, points=None, reason="was ill", by=world.instructor.user)
    assert services.withdraw(points_import=made, by=world.instructor.user) == 0
    assert standing(world)[world.student.pk].excused


def test_the_same_points_again_change_nothing(world):
    take(world, found("ada.lindqvist"))
    plan = upload_of(world, found("ada.lindqvist")).plan(world.offering)
    assert (plan.given, plan.unchanged) == ((), 1)
    with pytest.raises(ImportRefused, match="gives nobody points"):
        take(world, found("ada.lindqvist"))


def test_two_lines_for_one_student_are_not_both_taken(world):
    plan = upload_of(world, found("ada.lindqvist"), found("ada.lindqvist", "9")).plan(world.offering)
    assert [row.found.points for row in plan.given] == [7]
    assert "has points for" in plan.unknown[0]


def test_nothing_is_stored_when_a_decision_changed_since_the_preview(world):
    upload = upload_of(world, found("ada.lindqvist"))
    signed = services.sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=world.instructor.user)
    decide(student=world.student, part=world.lab, points=None, reason="was ill", by=world.ta.user)
    with pytest.raises(ImportRefused, match="changed since the preview"):
        services.take_over(offering=world.offering, signed=signed, reason="", by=world.instructor.user)
    assert ImportedPoints.objects.count() == 0


@pytest.mark.parametrize("kind", ["csv", "db"])
def test_from_the_upload_to_the_withdrawal_in_the_browser(world, browser, kind, tmp_path):
    client, here = browser(world.instructor), f"/o/{world.offering.slug}/exchange/points/"
    if kind == "csv":
        data = b"assignment,student_id,score,max_score\nps1,ada.lindqvist,7,13\nps1,who,1,13\n"
    else:
        book = Gradebook(tmp_path / "gradebook.db")
        book.assignment("ps1")
        book.student("a1", email=world.student.user.email.upper())
        book.graded("ps1", "a1", 1.0, extra=1 / 6)
        data = book.data()
    page = client.post(f"{here}preview/", {"points": SimpleUploadedFile(f"grades.{kind}", data)}).context["page"]
    assert page.plan.given == ()
    assert page.plan.unmapped == ("ps1",)
    sent = {"signed": page.signed, "assignment-0": str(world.lab.pk)}
    page = client.post(f"{here}preview/", sent).context["page"]
    assert [row.enrollment for row in page.plan.given] == [world.student]
    answer = client.post(f"{here}take/", {"signed": page.signed, "reason": "ran there"})
    assert answer.status_code == 302
    decision = Decision.objects.get(withdrawn_at=None)
    assert (decision.points, decision.max_points) == (7, 13)
    made = PointsImport.objects.get()
    assert made.source in client.get(here).content.decode()
    client.post(f"{here}{made.pk}/withdraw/")
    assert not standing(world)
    assert "Withdrawn" in client.get(here).content.decode()


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01", b"SQLite format 3\0", b"a,b\n1,2\n", b"assignment,student_id,score,max_score\n"]
)
def test_a_file_that_is_neither_gets_a_sentence(world, browser, data):
    answer = browser(world.instructor).post(
        f"/o/{world.offering.slug}/exchange/points/preview/", {"points": SimpleUploadedFile("x.db", data)}
    )
    assert answer.status_code == 422
    assert answer.context["page"].refusal.endswith(".")


def test_an_import_of_another_course_is_not_there(world, browser):
    made = PointsImport.objects.create(offering=world.other_lab.offering, source="nbgrader", made_at=clock.now())
    answer = browser(world.instructor).post(f"/o/{world.offering.slug}/exchange/points/{made.pk}/withdraw/")
    assert answer.status_code == 404


def test_names_in_any_script_are_guessed_by_all_of_their_letters(world):
    world.lab.title = "自动微分"
    world.lab.save()
    assert guessed(world.offering, ["自动微分", "课后练习", "…"]) == {"自动微分": world.lab.pk}
