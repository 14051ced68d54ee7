"""Regrade requests: when one may ask, who answers, what the answer does to a score, and that every request stays with its answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import IntegrityError, transaction

from audit.models import AuditEvent
from courses.models import Role
from reviews.marking.scores import hand_scores
from reviews.models import RubricScore
from reviews.releases.services import release as release_all
from reviews.releases.services import undo
from reviews.requests.models import RegradeRequest
from reviews.requests.rules import RequestRefused, last_moment
from reviews.requests.scores import score_now
from reviews.requests.services import Answer, answer, ask, set_window, withdraw
from reviews.scores import score_all
from reviews.services import override, release
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db
HERE = "tests.platform.reviews.requests.test_requests"
WHY = "Item three is there, in my second paragraph."
BECAUSE = "I read it again, and this is what I found."
RELEASED = datetime(2026, 2, 4, 16, 30, tzinfo=UTC)  # Wed 4 Feb, 10:30 in Chicago
LAST = datetime(2026, 2, 12, 5, 59, 59, tzinfo=UTC)  # Wed 11 Feb, 23:59:59


class ServerAway(EmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, *_):
        raise ConnectionRefusedError("nobody listens there")


@pytest.fixture(autouse=True)
def _released(at):
    at(RELEASED)


@pytest.fixture
def other_ta(world):
    return person(world.offering, Role.TA, name="Tomas Ferreira")


@pytest.fixture
def work(world):
    """A summary that Priya gave 1 point an item, released."""
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    made = summary(reading, world.student)
    reviewed(made, world.ta, *[1] * 6, comment="Read section 4 again.")
    release_all(assignment=reading, by=world.instructor.user, partial=True)
    return made


@pytest.fixture
def lab_work(world):
    """A lab's attempt with 3 of 6 and 4 of 4 by the checks, released."""
    world.lab.released_at = RELEASED
    world.lab.save()
    return reported(submit(world.lab, world.student), 3.0, 4.0)


def reply(request, viewer, *, change=None, text=BECAUSE, revision=None):
    """Answer: keep, or change these items' points (by short name)."""
    now = score_now(request.submission)
    scores = {row.item.pk: row.score for row in now.items}
    scores |= {
        row.item.pk: Decimal(change[row.item.task_id]) for row in now.items if row.item.task_id in (change or {})
    }
    given = Answer(
        text=text, change=change is not None, scores=scores, revision=now.revision if revision is None else revision
    )
    return answer(request=request, viewer=viewer, given=given, site="https://lab.example/")


def asked(work, item=None):
    return ask(submission=work, item=item, reason=WHY)


def test_a_request_keeps_what_was_asked_of_which_score(world, work):
    item = work.assignment.rubric.items.get(task_id="ideas")
    request = asked(work, item)
    assert (request.about, request.reason, request.asked_by) == ("The main ideas", WHY, world.student)
    assert (request.score_before, request.grader_before, request.status) == (Decimal(6), world.ta.user, "open")
    line = AuditEvent.objects.get(action="asked for another look")
    assert (line.subject_type, line.subject_id, line.actor_name) == ("Submission", work.pk, "Ada Lindqvist")


def test_one_request_a_score_is_open_and_the_database_holds_it(world, work):
    asked(work)
    with pytest.raises(RequestRefused, match="is open"):
        asked(work)
    with pytest.raises(IntegrityError), transaction.atomic():
        RegradeRequest.objects.create(submission=work, asked_by=world.student, reason=WHY, asked_at=RELEASED)


def test_nothing_is_asked_before_the_release(lab_work):
    work = lab_work
    work.assignment.released_at = None
    work.assignment.save()
    with pytest.raises(RequestRefused, match="not released yet"):
        asked(work)
    work.assignment.released_at = RELEASED + timedelta(seconds=1)
    work.assignment.save()
    with pytest.raises(RequestRefused, match="not released yet"):
        asked(work)
    assert not RegradeRequest.objects.exists()


def test_marks_are_asked_about_while_their_release_stands(world, work):
    later = summary(ReadingFactory(assignment__offering=world.offering).assignment, world.student)
    reviewed(later, world.ta)
    with pytest.raises(RequestRefused, match="not released yet"):
        asked(later)
    undo(release=work.assignment.releases.get(), by=world.instructor.user)
    with pytest.raises(RequestRefused, match="not released yet"):
        asked(work)


@pytest.mark.parametrize(("seconds", "taken"), [(-1, True), (0, True), (0.9, True), (1, False)])
def test_the_window_ends_with_the_last_second_of_its_last_day(work, at, seconds, taken):
    assert last_moment(work) == LAST
    at(LAST + timedelta(seconds=seconds))
    if taken:
        asked(work)
        return
    with pytest.raises(RequestRefused, match="until Wed 11 Feb 2026, 23:59:59 CST"):
        asked(work)


def test_the_window_is_the_offerings(world, work, at):
    set_window(offering=work.assignment.offering, days=1, by=world.instructor.user)
    at(RELEASED + timedelta(days=2))
    with pytest.raises(RequestRefused, match="until Thu 5 Feb"):
        asked(work)
    set_window(offering=work.assignment.offering, days=0, by=world.instructor.user)
    with pytest.raises(RequestRefused, match="no regrade requests"):
        asked(work)
    lines = AuditEvent.objects.filter(action="set the window of regrade requests").order_by("pk")
    assert [(line.before, line.after) for line in lines] == [
        ("7 days after the release", "1 days after the release"),
        ("1 days after the release", "no requests"),
    ]


def test_a_window_across_a_change_of_the_clock_ends_at_the_end_of_its_day(lab_work, at):
    work = lab_work
    at(datetime(2026, 3, 5, tzinfo=UTC))
    work.assignment.released_at = datetime(2026, 3, 4, 16, 30, tzinfo=UTC)  # CST
    work.assignment.save()
    assert last_moment(work) == datetime(2026, 3, 12, 4, 59, 59, tzinfo=UTC)  # 23:59:59 CDT


@pytest.mark.parametrize("reason", ["", "wrong", "x" * 50, "a b c d", "   \n "])
def test_a_reason_is_a_sentence_at_least(work, reason):
    with pytest.raises(RequestRefused, match="sentence at least"):
        ask(submission=work, item=None, reason=reason)


def test_work_without_a_score_and_work_that_a_later_one_replaced(world, work, lab_work):
    ungraded = submit(world.lab, world.classmate)
    ungraded.assignment.released_at = RELEASED
    ungraded.assignment.save()
    with pytest.raises(RequestRefused, match="no score yet"):
        asked(ungraded)
    reviewed(summary(work.assignment, world.student), world.ta)
    with pytest.raises(RequestRefused, match="later submission"):
        asked(work)


def test_another_grader_answers_and_an_instructor_may_take_any(world, work, other_ta):
    request = asked(work)
    with pytest.raises(RequestRefused, match="You graded this one"):
        reply(request, world.ta)
    reply(request, other_ta)
    second = asked(work)
    reply(second, world.instructor)
    reviewed(summary(work.assignment, world.classmate), world.instructor)
    release_all(assignment=work.assignment, by=world.instructor.user, partial=True)
    own = asked(work.assignment.submissions.get(enrollment=world.classmate))
    assert own.grader_before == world.instructor.user
    reply(own, world.instructor)


def test_a_ta_who_is_the_only_grader_answers(world, work):
    request = asked(work)
    world.offering.enrollments.filter(pk=world.instructor.pk).update(dropped_at=RELEASED)
    reply(request, world.ta)
    assert RegradeRequest.objects.get().answered_by == world.ta.user


def test_keeping_a_score_tells_why_and_changes_no_mark(work, other_ta, django_capture_on_commit_callbacks):
    request, before = asked(work), list(work.reviews.values("revision", "grader", "saved_at"))
    with django_capture_on_commit_callbacks(execute=True):
        kept = reply(request, other_ta)
    assert (kept.status, kept.changed, kept.score_before, kept.score_after) == ("answered", False, 6, 6)
    assert list(work.reviews.values("revision", "grader", "saved_at")) == before
    (sent,) = mail.outbox
    assert sent.to == [work.enrollment.user.email]
    assert "stays at 6 of 12" in sent.body
    assert BECAUSE in sent.body
    assert f"https://lab.example/submissions/{work.pk}/requests/" in sent.body
    assert RegradeRequest.objects.get().mailed_at is not None


def test_changing_marks_keeps_comments_and_says_who_and_why(work, other_ta, django_capture_on_commit_callbacks):
    work.reviews.get().marks.filter(item__task_id="problem").update(comment="Too short.")
    with django_capture_on_commit_callbacks(execute=True):
        changed = reply(asked(work), other_ta, change={"ideas": 2, "impact": 0})
    score = hand_scores([work])[work.pk]
    assert (changed.score_before, changed.score_after, score.total) == (6, 6, 6)  # one up, one down
    assert {mark.item.task_id: mark.score for mark in score.marks} == {
        "problem": 1,
        "impact": 0,
        "ideas": 2,
        "technique": 1,
        "assessment": 1,
        "improvement": 1,
    }
    assert (score.review.grader, score.review.comment, score.review.revision) == (
        other_ta.user,
        "Read section 4 again.",
        2,
    )
    assert score.review.marks.get(item__task_id="problem").comment == "Too short."
    line = AuditEvent.objects.filter(action="graded").first()
    assert (line.actor_name, line.reason) == ("Tomas Ferreira", BECAUSE)
    assert "The main ideas: 1" in line.before
    assert "The main ideas: 2" in line.after


def test_a_changed_total_is_told(work, other_ta, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        reply(asked(work), other_ta, change={"ideas": 2})
    assert "was 6 and is now 7 of 12" in mail.outbox[0].body


def test_a_labs_task_is_set_by_hand_and_shown_at_once(world, lab_work):
    one, two = world.lab.rubric.items.order_by("position")
    override(submission=lab_work, item=two, score=Decimal(1), reason="not yet shown", by=world.ta.user)
    request = asked(lab_work, one)
    assert (request.score_before, request.grader_before) == (Decimal(7), None)
    changed = reply(request, world.ta, change={"1": "4.5"})
    assert (changed.score_before, changed.score_after) == (Decimal(7), Decimal("8.5"))
    assert score_all([lab_work], for_staff=False)[0].score == Decimal("8.5")
    # what another grader has not released stays unreleased
    assert RubricScore.objects.get(item=two).released_at is None
    assert RubricScore.objects.get(item=one).reason == BECAUSE
    lines = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert lines[-3:] == ["overrode", "released", "answered a regrade request"]


def test_who_set_a_labs_task_by_hand_does_not_answer(world, lab_work, other_ta):
    one, two = world.lab.rubric.items.order_by("position")
    override(submission=lab_work, item=one, score=Decimal(2), reason="copied in part", by=world.ta.user)
    release(submission=lab_work, by=world.ta.user)
    about_two = asked(lab_work, two)
    assert about_two.grader_before is None
    withdraw(request=about_two, by=world.student.user)
    about_one = asked(lab_work, one)
    assert about_one.grader_before == world.ta.user
    with pytest.raises(RequestRefused, match="You graded this one"):
        reply(about_one, world.ta, change={"1": 3})
    reply(about_one, other_ta, change={"1": 3})


@pytest.mark.parametrize(
    ("change", "said"),
    [({"1": 7}, "takes 0 to 6 points"), ({"1": -1}, "takes 0 to 6 points"), ({"1": 3}, "No item has")],
)
def test_points_that_cannot_be_are_refused_and_nothing_is_stored(world, lab_work, change, said):
    request = asked(lab_work)
    with pytest.raises(RequestRefused, match=said), transaction.atomic():
        reply(request, world.ta, change=change)
    assert RegradeRequest.objects.get().is_open
    assert not RubricScore.objects.exists()


def test_changed_points_are_not_thrown_away_by_the_wrong_button(work, other_ta):
    request = asked(work)
    item = work.assignment.rubric.items.first()
    given = Answer(text=BECAUSE, change=False, scores={item.pk: Decimal(2)}, revision=1)
    with pytest.raises(RequestRefused, match="You changed points"):
        answer(request=request, viewer=other_ta, given=given, site="https://lab.example/")


def test_a_review_that_was_saved_meanwhile_is_not_overwritten(world, work, other_ta):
    request = asked(work)
    with pytest.raises(RequestRefused, match="has graded this one since"), transaction.atomic():
        reply(request, other_ta, change={"ideas": 2}, revision=0)
    assert hand_scores([work])[work.pk].total == 6
    assert RegradeRequest.objects.get().is_open


def test_an_answer_says_why(work, other_ta):
    request = asked(work)
    with pytest.raises(RequestRefused, match="sentence at least"):
        reply(request, other_ta, text="No.")


def test_an_answered_or_withdrawn_request_is_not_answered_again(
    world, work, other_ta, django_capture_on_commit_callbacks
):
    request = asked(work)
    reply(request, other_ta)
    with pytest.raises(RequestRefused, match="was answered by Tomas Ferreira"):
        reply(request, world.instructor)
    second = asked(work)
    assert withdraw(request=second, by=world.student.user)
    assert not withdraw(request=second, by=world.student.user)
    with pytest.raises(RequestRefused, match="withdrew"):
        reply(second, world.instructor)
    assert not withdraw(request=request, by=world.student.user)
    assert [row.status for row in work.regrade_requests.all()] == ["answered", "withdrawn"]


def test_a_mail_that_fails_changes_nothing(work, other_ta, settings, django_capture_on_commit_callbacks):
    settings.EMAIL_BACKEND = f"{HERE}.ServerAway"
    with django_capture_on_commit_callbacks(execute=True):
        reply(asked(work), other_ta)
    stored = RegradeRequest.objects.get()
    assert (stored.status, stored.mailed_at) == ("answered", None)
