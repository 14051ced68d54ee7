"""Who someone is who comes from a platform, and where they get to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit.models import AuditEvent
from courses.models import Enrollment, Role
from lti.models import Arrival, Context, Person
from tests.platform.lti.conftest import come
from tests.platform.lti.double import CLAIM, MEMBERSHIP

pytestmark = pytest.mark.django_db
INSTRUCTOR = {CLAIM + "roles": [MEMBERSHIP + "Instructor"], "sub": "subject-ines", "email": "", "name": "Ines"}


def arrived(client: Client, step: str = ""):
    return client.post("/lti/arrived/", {"step": step}) if step else client.get("/lti/arrived/")


def signed_in(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def home(world) -> str:
    return reverse("dashboard", args=[world.offering.slug])


def test_an_address_alone_opens_no_account(double, course, world):
    client = Client()
    come(double, client, email=world.student.user.email)
    page = arrived(client).content.decode()
    assert "Sign in" in page
    assert "I am new here" not in page
    for step in ("link", "make"):
        arrived(client, step)
        assert signed_in(client) is None
    assert not Person.objects.exists()


def test_who_signs_in_and_confirms_is_linked_and_comes_straight_in_after_that(double, course, world):
    client = Client()
    come(double, client, email=world.student.user.email)
    client.force_login(world.student.user)
    page = arrived(client).content.decode()
    assert world.student.user.email in page
    assert not Person.objects.exists()
    assert arrived(client, "link").url == home(world)
    assert Person.objects.get().user == world.student.user
    assert AuditEvent.objects.get(action="linked an account").actor_id == world.student.user_id

    another = Client()
    come(double, another, email="somebody@else.example", name="Another Name")
    assert arrived(another).url == home(world)
    assert signed_in(another) == str(world.student.user_id)


def test_a_launch_leads_to_its_target(double, course, world, registered):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    target = f"http://localhost:8000/o/{world.offering.slug}/labs/"
    come(double, client, **{CLAIM + "target_link_uri": target})
    assert arrived(client).url == f"/o/{world.offering.slug}/labs/"


def test_an_arrival_is_used_once_and_by_its_browser(double, course, world, registered):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client)
    token = client.cookies["gradlab_arrival"].value
    assert "has ended" in arrived(Client()).content.decode()
    arrived(client)
    thief = Client()
    thief.cookies["gradlab_arrival"] = token
    assert "has ended" in arrived(thief).content.decode()
    assert signed_in(thief) is None


def test_an_arrival_ends(double, course, world, registered):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client)
    arrival = Arrival.objects.get()
    Arrival.objects.update(arrived_at=arrival.arrived_at - timedelta(minutes=31))
    assert "has ended" in arrived(client).content.decode()
    assert signed_in(client) is None


def test_who_is_signed_in_as_another_becomes_who_came(double, course, world, registered):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    client.force_login(world.classmate.user)
    come(double, client)
    arrived(client)
    assert signed_in(client) == str(world.student.user_id)


def test_a_subject_or_a_person_is_linked_once(double, course, world):
    first, second = Client(), Client()
    for client, sub in ((first, "a"), (second, "b")):
        come(double, client, sub=sub)
        client.force_login(world.student.user)
    arrived(first, "link")
    answer = arrived(second, "link")
    assert answer.status_code == 422
    assert "linked to another person" in answer.content.decode()
    assert Person.objects.get().subject == "a"


def test_an_account_that_was_closed_is_not_opened(double, course, world, registered):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    User.objects.filter(pk=world.student.user_id).update(is_active=False)
    client = Client()
    come(double, client)
    assert arrived(client).status_code == 200
    arrived(client, "make")
    assert signed_in(client) is None


@pytest.mark.parametrize("admits", [True, False])
def test_newcomers_are_made_where_the_course_admits_them(double, course, world, admits):
    Context.objects.update(admits=admits)
    client = Client()
    come(double, client, sub="new", name="Nia New", email="Nia.New@example.edu")
    assert ("I am new here" in arrived(client).content.decode()) == admits
    arrived(client, "make")
    made = User.objects.filter(email="nia.new@example.edu").first()
    assert bool(made) == admits
    if made:
        assert not made.has_usable_password()
        assert Enrollment.objects.get(user=made).role == Role.STUDENT
        assert signed_in(client) == str(made.pk)


@pytest.mark.parametrize("role", ["Instructor", "TeachingAssistant", "Mentor"])
def test_staff_of_the_platform_are_made_nothing(double, course, world, role):
    Context.objects.update(admits=True)
    client = Client()
    come(double, client, sub="new", name="N", email="n@example.edu", **{CLAIM + "roles": [MEMBERSHIP + role]})
    arrived(client, "make")
    assert not User.objects.filter(email="n@example.edu").exists()


@pytest.mark.parametrize("role", ["Instructor", "TeachingAssistant"])
def test_no_launch_raises_a_role(double, course, world, registered, role):
    Context.objects.update(admits=True)
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.student.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client, **{CLAIM + "roles": [MEMBERSHIP + role]})
    assert arrived(client).url == home(world)
    world.student.refresh_from_db()
    assert world.student.role == Role.STUDENT


def test_who_dropped_stays_out_and_is_told(double, course, world, registered):
    Context.objects.update(admits=True)
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.dropped.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client)
    answer = arrived(client)
    assert answer.status_code == 403
    assert world.dropped.user.email in answer.content.decode()
    world.dropped.refresh_from_db()
    assert world.dropped.dropped_at is not None


def test_an_instructor_says_which_offering_a_course_is(double, registered, world):
    Person.objects.create(
        platform=registered, subject="subject-ines", user=world.instructor.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client, **INSTRUCTOR)
    page = client.get(arrived(client).url)
    assert world.offering.slug in page.content.decode()
    assert world.other_lab.offering.slug not in page.content.decode()
    context = Context.objects.get()
    address = f"/lti/courses/{context.pk}/"
    assert client.post(address, {"offering": world.other_lab.offering.slug}).status_code == 422
    assert (
        client.post(address, {"offering": world.offering.slug, "admits": "on"}).url == f"/o/{world.offering.slug}/lti/"
    )
    context.refresh_from_db()
    assert (context.offering, context.admits, context.linked_by) == (world.offering, True, world.instructor.user)
    assert client.get(address).status_code == 404


def test_a_student_of_a_course_that_is_not_linked_reads_a_sentence(double, registered, world):
    Person.objects.create(
        platform=registered, subject="subject-ada", user=world.instructor.user, linked_at="2026-01-01T00:00Z"
    )
    client = Client()
    come(double, client)
    assert "not linked" in arrived(client).content.decode()
    assert client.get(f"/lti/courses/{Context.objects.get().pk}/").status_code == 404


def test_an_instructor_who_did_not_come_from_it_links_nothing(double, registered, world):
    context = Context.objects.create(deployment=registered.deployments.get(), context_id="x")
    client = Client()
    client.force_login(world.instructor.user)
    assert client.post(f"/lti/courses/{context.pk}/", {"offering": world.offering.slug}).status_code == 404


def test_a_course_is_unlinked_and_everyone_stays(double, course, world, browser):
    before = Enrollment.objects.count()
    answer = browser(world.instructor).post(f"/o/{world.offering.slug}/lti/{course.pk}/unlink/")
    assert answer.status_code == 302
    course.refresh_from_db()
    assert course.offering is None
    assert Enrollment.objects.count() == before
    assert AuditEvent.objects.filter(action="unlinked a course").exists()


def test_who_is_added_is_set_and_recorded_once(double, course, world, browser):
    client, address = browser(world.instructor), f"/o/{world.offering.slug}/lti/{course.pk}/newcomers/"
    for _ in range(2):
        client.post(address, {"admits": "on"})
    course.refresh_from_db()
    assert course.admits
    assert AuditEvent.objects.filter(action="set who is added").count() == 1


def test_who_someone_is_cannot_be_decided_by_another_site(double, course, world):
    client = Client(enforce_csrf_checks=True)
    come(double, client)
    client.force_login(world.student.user)
    assert arrived(client, "link").status_code == 403
    assert not Person.objects.exists()


def test_a_name_from_the_platform_is_text(double, course, world):
    client = Client()
    come(double, client, name="<script>alert(1)</script>", email="x@example.edu")
    page = arrived(client).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
