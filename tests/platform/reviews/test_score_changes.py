"""Students hear once of a score that changed: on their first page, on the result page, and by one mail. Nobody else does."""

from __future__ import annotations

from decimal import Decimal
from smtplib import SMTPRecipientsRefused

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend as Kept
from django.urls import reverse

from reviews.regrades import services
from reviews.regrades.models import LabRegrade, Scope, ScoreChange
from reviews.services import override, release
from tests.factories import finished, reported, submit

pytestmark = pytest.mark.django_db
SITE = "https://gradlab.example.edu/"
HERE = "tests.platform.reviews.test_score_changes"


class ServerAway(Kept):
    """A mail server that does not answer."""

    def open(self):
        raise ConnectionRefusedError("nobody listens there")


class RefusesAda(Kept):
    """A mail server that knows one address less."""

    def send_messages(self, messages):
        if any("ada" in message.to[0] for message in messages):
            raise SMTPRecipientsRefused({"ada": (550, b"no such mailbox")})
        return super().send_messages(messages)


@pytest.fixture
def regrade(world) -> LabRegrade:
    """Ada wins 3 points, Kofi keeps his score; not applied yet."""
    made = [reported(submit(world.lab, student), 3.0, 1.0) for student in (world.student, world.classmate)]
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    for submission, score in zip(made, (6.0, 3.0), strict=True):
        finished(regrade.items.get(submission=submission).job, score, 1.0)
    return regrade


@pytest.fixture
def act(regrade, world, django_capture_on_commit_callbacks):
    """`act(services.apply, reason)`, with what follows the commit."""

    def do(service, reason="Check 2 was wrong."):
        with django_capture_on_commit_callbacks(execute=True):
            return service(regrade=regrade, reason=reason, by=world.instructor.user, site=SITE)

    return do


def first_page(browser, who) -> str:
    return browser(who).get(reverse("dashboard", args=[who.offering.slug])).content.decode()


def result(browser, who, submission_pk) -> str:
    return browser(who).get(reverse("submission", args=[submission_pk])).content.decode()


def test_who_sees_another_score_gets_one_mail_with_both_numbers_and_the_reason(world, regrade, act):
    assert mail.outbox == []
    act(services.apply)
    act(services.apply)
    assert [message.to for message in mail.outbox] == [[world.student.user.email]]
    body = mail.outbox[0].body
    assert "Your score was 4 of 10 and is now 7 of 10." in body
    assert "Why: Check 2 was wrong." in body
    link = reverse("submission", args=[ScoreChange.objects.get(tells=True).submission_id])
    assert f"https://gradlab.example.edu{link}" in body
    assert world.lab.label in mail.outbox[0].subject


def test_taking_it_back_tells_the_same_student_once_more(world, regrade, act):
    act(services.apply)
    act(services.revert, "The new check was wrong, too.")
    act(services.revert)
    assert [message.to for message in mail.outbox] == [[world.student.user.email]] * 2
    assert "Your score was 7 of 10 and is now 4 of 10." in mail.outbox[1].body
    assert "earlier grading" in mail.outbox[1].body


def test_both_pages_say_it_to_that_student_alone(world, regrade, act, browser):
    pk = regrade.items.first().submission_id
    assert "graded again" not in first_page(browser, world.student) + result(browser, world.student, pk)
    act(services.apply)
    for page in (first_page(browser, world.student), result(browser, world.student, pk)):
        assert "your score was 4 of 10 and is now 7 of 10" in page
        assert "Check 2 was wrong." in page
    assert "graded again" not in first_page(browser, world.classmate)
    assert "graded again" not in result(browser, world.classmate, regrade.items.last().submission_id)


def test_the_first_page_shows_it_until_it_was_read(world, regrade, act, browser):
    act(services.apply)
    seen = reverse("score-change-seen", args=[world.offering.slug, world.lab.slug])
    browser(world.classmate).post(seen)
    assert "graded again" in first_page(browser, world.student)
    response = browser(world.student).post(seen, follow=True)
    assert "graded again" not in response.content.decode()
    assert "graded again" in result(browser, world.student, regrade.items.first().submission_id)


def test_of_several_changes_the_latest_is_shown(world, regrade, act, browser):
    act(services.apply)
    act(services.revert, "The new check was wrong.")
    page = first_page(browser, world.student)
    assert page.count("Why:") == 1
    assert "your score was 7 of 10 and is now 4 of 10" in page


def test_what_only_staff_see_tells_nobody(world, django_capture_on_commit_callbacks):
    """Unreleased scores by hand hold the staff's total; the student's own score stays, so there is nothing to tell."""
    submission = reported(submit(world.lab, world.student), 3.0, 1.0)
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    finished(regrade.items.get().job, 3.0, 1.0)
    item = world.lab.rubric.items.get(task_id="1")
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    with django_capture_on_commit_callbacks(execute=True):
        services.apply(regrade=regrade, reason="because", by=world.instructor.user, site=SITE)
    assert (ScoreChange.objects.get().after, ScoreChange.objects.get().shown_after) == (7, 4)
    assert mail.outbox == []


def test_a_released_score_by_hand_that_holds_the_total_tells_nobody(world, django_capture_on_commit_callbacks):
    submission = reported(submit(world.lab, world.student), 3.0, 1.0)
    item = world.lab.rubric.items.get(task_id="1")
    override(submission=submission, item=item, score=Decimal(5), reason="partial credit", by=world.ta.user)
    release(submission=submission, by=world.ta.user)
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    finished(regrade.items.get().job, 6.0, 1.0)
    with django_capture_on_commit_callbacks(execute=True):
        services.apply(regrade=regrade, reason="because", by=world.instructor.user, site=SITE)
    assert not ScoreChange.objects.get().tells
    assert mail.outbox == []


def test_who_dropped_meanwhile_gets_no_mail(world, regrade, act):
    world.student.dropped_at = "2026-02-01T00:00:00Z"
    world.student.save()
    act(services.apply)
    assert mail.outbox == []


def test_a_mail_server_that_is_away_keeps_nobody_from_applying(world, regrade, act, settings, browser):
    settings.EMAIL_BACKEND = f"{HERE}.ServerAway"
    assert act(services.apply)
    assert "is now 7 of 10" in first_page(browser, world.student)
    assert not ScoreChange.objects.exclude(mailed_at=None).exists()


def test_one_address_that_is_refused_does_not_keep_the_mail_from_others(world, act, regrade, settings):
    settings.EMAIL_BACKEND = f"{HERE}.RefusesAda"
    finished_again = regrade.items.last()
    finished_again.job.stored_report.delete()
    type(finished_again.job).objects.filter(pk=finished_again.job_id).update(started_at=None, finished_at=None)
    finished(finished_again.job, 6.0, 4.0)
    assert act(services.apply)
    assert [message.to for message in mail.outbox] == [[world.classmate.user.email]]
    assert [row.enrollment for row in ScoreChange.objects.filter(mailed_at=None)] == [world.student]


def test_nothing_is_told_before_the_commit(world, regrade, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=False):
        services.apply(regrade=regrade, reason="because", by=world.instructor.user, site=SITE)
        assert mail.outbox == []
