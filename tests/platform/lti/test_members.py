"""Names and roles: read in pages, compared with the class, never changing it."""

from __future__ import annotations

import csv
import io

import pytest

from audit.models import AuditEvent
from courses.models import Enrollment, Role
from exchange.rosters.columns import Field, guessed
from exchange.tables import read_grid
from lti.claims import role_of
from lti.models import Context, Member, Person
from tests.platform.lti.double import MEMBERSHIP

pytestmark = pytest.mark.django_db


def member(subject: str, email: str = "", role: str = "Learner", **more: str) -> dict:
    return {
        "user_id": subject,
        "email": email,
        "name": subject.title(),
        "roles": [MEMBERSHIP + role],
        "status": "Active",
    } | more


@pytest.fixture
def people(double, course, world):
    """Ada by address and with a SIS id, Kofi by his own link, Priya as a student, Nia who is not in the class, and one who left."""
    Person.objects.create(
        platform=course.deployment.platform, subject="kofi", user=world.classmate.user, linked_at="2026-01-01T00:00Z"
    )
    double.members = [
        member("ada", world.student.user.email.upper(), lis_person_sourcedid="671"),
        member("kofi", "k@gmail.example"),
        member("priya", world.ta.user.email),
        member("nia", "nia@example.edu"),
        member("left", "left@example.edu", status="Inactive"),
        member("gone", "gone@example.edu", status="Deleted"),
    ]
    return course


def url(world, course, rest: str = "") -> str:
    return f"/o/{world.offering.slug}/lti/{course.pk}/members{rest}"


def test_all_pages_are_read_and_matched(double, people, world, browser):
    browser(world.instructor).post(url(world, people, "/read/"))
    found = {row.subject: row.enrollment for row in Member.objects.select_related("enrollment")}
    assert found == {"ada": world.student, "kofi": world.classmate, "priya": world.ta, "nia": None, "left": None}
    assert sum("Names" in line for line in double.asked) == 3


def test_the_preview_says_who_would_be_added_changed_and_dropped(people, world, browser):
    client = browser(world.instructor)
    before = list(Enrollment.objects.values())
    client.post(url(world, people, "/read/"))
    page = client.get(url(world, people, "/")).context["page"]
    assert (page.known, [row.subject for row in page.adds]) == (3, ["nia"])
    assert [(row.enrollment, row.there) for row in page.changes] == [(world.ta, "Student")]
    assert page.drops == ()
    assert list(Enrollment.objects.values()) == before


def test_reading_again_replaces_what_was_read(double, people, world, browser):
    client = browser(world.instructor)
    client.post(url(world, people, "/read/"))
    double.members = double.members[1:2]
    client.post(url(world, people, "/read/"))
    assert [row.subject for row in Member.objects.all()] == ["kofi"]
    assert client.get(url(world, people, "/")).context["page"].drops == (world.student,)


def test_the_file_is_a_roster(people, world, browser):
    client = browser(world.instructor)
    client.post(url(world, people, "/read/"))
    body = client.get(url(world, people, ".csv")).content
    columns = guessed(read_grid(body))
    assert {Field.NAME, Field.EMAIL, Field.ROLE, Field.SIS} <= set(columns)
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(body.decode()))}
    assert set(rows) == {"Ada", "Kofi", "Priya", "Nia"}
    assert (rows["Nia"]["email"], rows["Nia"]["role"]) == ("nia@example.edu", "Student")


def test_sis_ids_are_kept_where_there_is_none(people, world, browser):
    client = browser(world.instructor)
    client.post(url(world, people, "/read/"))
    client.post(url(world, people, "/ids/"))
    world.student.refresh_from_db()
    assert (world.student.sis_id, world.student.lms_id) == ("671", "")
    assert AuditEvent.objects.get(action="kept an ID").subject_id == world.student.pk
    Enrollment.objects.filter(pk=world.student.pk).update(sis_id="mine")
    client.post(url(world, people, "/ids/"))
    world.student.refresh_from_db()
    assert world.student.sis_id == "mine"


@pytest.fixture(
    params=[
        ("/Names", 503, "busy"),
        ("/Names", 403, "refuses"),
        ("/Names", 302, "another address"),
        ("/token", 401, "does not accept our key"),
    ]
)
def fault(double, request):
    return (double, *request.param)


def test_a_platform_that_refuses_is_a_sentence_and_what_was_read_stays(people, world, browser, fault):
    double, part, status, words = fault
    client = browser(world.instructor)
    client.post(url(world, people, "/read/"))
    double.faults[part] = [status]
    answer = client.post(url(world, people, "/read/"))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Member.objects.count() == 5


def test_a_platform_that_is_away_is_a_sentence(people, world, browser):
    Context.objects.update(memberships_url="http://127.0.0.1:9/nobody")
    answer = browser(world.instructor).post(url(world, people, "/read/"))
    assert "could not be reached" in answer.content.decode()


@pytest.mark.parametrize(
    "members", [[{"name": "nobody"}], ["text"], [{"user_id": "a", "roles": "x", "email": 5, "name": []}]]
)
def test_members_of_any_shape_are_no_fault_of_ours(double, people, world, browser, members):
    double.members = members
    assert browser(world.instructor).post(url(world, people, "/read/")).status_code in {302, 422}


@pytest.mark.parametrize(
    ("roles", "ours"),
    [
        ([MEMBERSHIP + "Learner"], Role.STUDENT),
        ([MEMBERSHIP + "Learner", MEMBERSHIP + "Instructor"], Role.INSTRUCTOR),
        (["http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant"], Role.TA),
        (
            [
                MEMBERSHIP + "Instructor",
                "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant",
            ],
            Role.TA,
        ),
        (["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"], ""),
        (["http://purl.imsglobal.org/vocab/lis/v2/system/person#Administrator"], ""),
        (["Instructor"], Role.INSTRUCTOR),
        ([MEMBERSHIP + "Mentor"], ""),
        ("Instructor", ""),
    ],
)
def test_roles_are_those_in_the_course(roles, ours):
    assert role_of(roles) == ours
