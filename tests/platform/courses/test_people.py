"""Enrollments: who is in, who has dropped, and the command that enrolls the first person."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from courses.access import first_enrollment
from courses.models import Enrollment
from courses.selectors import people_page
from tests.factories import OfferingFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_the_list_has_staff_students_and_those_who_dropped(world):
    page = people_page(world.ta)
    assert {person.name for person in page.staff} == {"Priya Raman", "Ines Carvalho"}
    assert [person.name for person in page.students] == ["Ada Lindqvist", "Kofi Mensah"]
    assert len(page.dropped) == 1


def test_the_door_leads_to_the_latest_offering(world):
    newer = OfferingFactory(starts_on="2027-01-20", ends_on="2027-05-20")
    Enrollment.objects.create(offering=newer, user=world.student.user)
    assert first_enrollment(world.student.user).offering == newer
    assert first_enrollment(world.stranger) is None
    assert first_enrollment(world.dropped.user) is None


def test_the_first_person_is_enrolled_by_command(world, monkeypatch, capsys):
    monkeypatch.setattr("courses.management.commands.enroll.getpass", lambda _: "a long password")
    call_command("enroll", world.offering.slug, "New@Example.edu", "Newly Here", role="instructor")
    user = User.objects.get(email="new@example.edu")
    assert user.check_password("a long password")
    assert user.enrollments.get().is_instructor


def test_someone_known_gets_a_new_role_and_keeps_the_password(world, capsys):
    known = UserFactory(email="known@example.edu")
    call_command("enroll", world.offering.slug, "known@example.edu", "x", role="ta")
    known.refresh_from_db()
    assert known.enrollments.get().role == "ta"
    assert known.check_password("a long password")


@pytest.mark.parametrize(
    ("offering", "password", "sentence"), [("none", "a long password", "no offering"), (None, "short", "too short")]
)
def test_what_cannot_be_is_said(world, monkeypatch, offering, password, sentence):
    monkeypatch.setattr("courses.management.commands.enroll.getpass", lambda _: password)
    with pytest.raises(CommandError, match=sentence):
        call_command("enroll", offering or world.offering.slug, "new@example.edu", "Newly Here")
    assert not User.objects.filter(email="new@example.edu").exists()
