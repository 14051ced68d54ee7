"""Mails of a release: after the time to undo, one a student, again after a failure, and none that is not true any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from config import clock
from config.outbox import Outbox
from reviews.releases.mail import mail_due_releases, message_of
from reviews.releases.models import ReleaseMail
from reviews.releases.services import release, retract, undo
from tests.platform.submissions.test_receipt_mail import free_port, mailbox  # noqa: F401 - a real mail server

pytestmark = pytest.mark.django_db


@pytest.fixture
def later(at, settings):
    """Moves the clock beyond the time to undo."""
    at(clock.now())

    def move(**more: float) -> None:
        at(clock.now() + timedelta(seconds=settings.RELEASE_UNDO_S) + timedelta(**more))

    return move


def test_nobody_is_told_while_it_can_be_undone(world, graded, later):
    release(assignment=graded.reading, by=world.instructor.user)
    assert mail_due_releases() == 0
    assert mail.outbox == []
    later()
    assert [mail_due_releases(), mail_due_releases()] == [2, 0]
    assert sorted(message.to[0] for message in mail.outbox) == [world.student.user.email, world.classmate.user.email]


def test_a_mail_leads_to_the_grades_and_names_no_score(world, graded, later, settings):
    settings.SITE_URL = "https://gradlab.example.edu"
    release(assignment=graded.reading, by=world.instructor.user)
    later()
    mail_due_releases()
    message = mail.outbox[0]
    assert f"https://gradlab.example.edu/o/{world.offering.slug}/grades/" in message.body
    assert graded.reading.label in message.subject
    assert "10" not in message.body.replace(graded.reading.label, "").replace(world.offering.slug, "")


def test_what_is_undone_tells_nobody(world, graded, later):
    undo(release=release(assignment=graded.reading, by=world.instructor.user), by=world.instructor.user)
    later(days=30)
    assert mail_due_releases() == 0
    assert mail.outbox == []


def test_a_later_release_of_the_rest_tells_only_its_own_students(world, graded, later):
    graded.kofi.reviews.update(flagged=True)
    release(assignment=graded.reading, by=world.instructor.user, partial=True, with_flagged=False)
    release(assignment=graded.reading, by=world.instructor.user)
    later()
    assert mail_due_releases() == 2
    assert sorted(message.to[0] for message in mail.outbox) == [world.student.user.email, world.classmate.user.email]


def test_taking_back_tells_its_students_why(world, graded, later):
    made = release(assignment=graded.reading, by=world.instructor.user)
    later()
    mail_due_releases()
    retract(release=made, reason="The key was wrong.", by=world.instructor.user)
    assert mail_due_releases() == 2
    assert "The key was wrong." in mail.outbox[-1].body
    assert "taken back" in mail.outbox[-1].subject


def test_a_release_that_is_taken_back_before_its_mail_left_is_not_told(world, graded, later):
    made = release(assignment=graded.reading, by=world.instructor.user)
    later()
    retract(release=made, reason="The key was wrong.", by=world.instructor.user)
    assert mail_due_releases() == 2
    assert {"taken back" in message.subject for message in mail.outbox} == {True}


@pytest.mark.usefixtures("socket_enabled")
class TestServer:
    def test_one_address_that_is_refused_keeps_no_other_from_its_mail(self, world, graded, later, mailbox):  # noqa: F811
        release(assignment=graded.reading, by=world.instructor.user)
        mailbox.refused = {world.student.user.email}
        later()
        assert mail_due_releases() == 1
        mailbox.refused = set()
        assert mail_due_releases() == 0, "the next try waits"
        later()
        assert mail_due_releases() == 1
        assert len(mailbox.messages) == 2

    @pytest.mark.usefixtures("socket_enabled", "mailbox")
    def test_a_server_that_is_away_delays_the_mail_and_nothing_else(self, world, graded, later, settings):
        release(assignment=graded.reading, by=world.instructor.user)
        later()
        port, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
        assert mail_due_releases() == 0
        settings.EMAIL_PORT = port
        assert mail_due_releases() == 2

    def test_what_is_refused_again_and_again_is_given_up(self, world, graded, later, mailbox, settings):  # noqa: F811
        settings.RELEASE_MAIL_TRIES = 2
        mailbox.refused = {world.student.user.email, world.classmate.user.email}
        release(assignment=graded.reading, by=world.instructor.user)
        for _ in range(4):
            later(days=1)
            assert mail_due_releases() == 0
        assert set(ReleaseMail.objects.values_list("mail_tries", "mail_at", "mailed_at")) == {(2, None, None)}


def test_two_sweepers_send_one_mail(world, graded, later, monkeypatch):
    """The other one takes the same list before this one comes to the row."""
    release(assignment=graded.reading, by=world.instructor.user)
    later()
    real = Outbox._claim

    def both(outbox, row):
        first, second = real(outbox, ReleaseMail.objects.get(pk=row.pk)), real(outbox, row)
        assert (first, second) == (True, False)
        return second

    monkeypatch.setattr(Outbox, "_claim", both)
    assert mail_due_releases() == 0


def test_a_title_with_a_line_end_writes_no_header(world, graded, later):
    graded.reading.title = "Paged\r\nBcc: eve@example.edu"
    graded.reading.save()
    release(assignment=graded.reading, by=world.instructor.user)
    message = message_of(ReleaseMail.objects.first())
    assert "\n" not in message.subject
    assert message.message()["Bcc"] is None


def test_the_sweeper_names_functions_that_exist():
    from django.conf import settings
    from django.utils.module_loading import import_string

    assert all(callable(import_string(name)) for name in settings.SWEEP_ALSO)
    assert "reviews.releases.mail.mail_due_releases" in settings.SWEEP_ALSO
