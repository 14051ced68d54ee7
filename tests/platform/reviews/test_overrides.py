"""Scores by hand: for staff at once, for the student after release, standing across regrades, each with its line in the trail."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from gradebook.sources.collect import collect
from grading.services import regrade
from reviews.lists import attempts_page, submissions_page
from reviews.models import RubricScore
from reviews.requests.scores import score_now
from reviews.scores import score_all
from reviews.selectors import result_page
from reviews.services import OverrideRefused, override, release, withdraw_override
from reviews.sheets.rows import sheet_of
from submissions.access import get_submission_for
from tests.factories import finished, reported, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def submission(world):
    return reported(submit(world.lab, world.student), 3.0, 4.0)


@pytest.fixture
def item(world):
    return world.lab.rubric.items.get(task_id="1")


def seen_by(who, submission):
    return result_page(get_submission_for(who.user, submission.pk))


def test_the_rubric_follows_the_labs_tasks(world):
    items = list(world.lab.rubric.items.values_list("task_id", "title", "points"))
    assert items == [("1", "Adding", Decimal(6)), ("2", "Scaling", Decimal(4))]


def test_a_student_sees_an_override_after_its_release_only(world, submission, item):
    override(submission=submission, item=item, score=Decimal("5.5"), reason="partial credit", by=world.ta.user)
    assert seen_by(world.ta, submission).total == Decimal("9.5")
    before = seen_by(world.student, submission)
    assert before.total == Decimal(7)
    assert before.tasks[0].override is None
    assert release(submission=submission, by=world.ta.user) == 1
    after = seen_by(world.student, submission)
    assert after.total == Decimal("9.5")
    assert (after.tasks[0].override.reason, after.tasks[0].override.by) == ("partial credit", "Priya Raman")


def test_no_list_shows_an_unreleased_override_to_the_student(world, submission, item):
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    assert attempts_page(world.student, world.lab).rows[0].score == Decimal(7)
    assert submissions_page(world.ta, world.lab).rows[0].score == Decimal(10)
    assert score_all([submission], for_staff=False)[0].pending == 0


def test_the_student_is_not_told_that_something_waits(world, submission, item, browser):
    override(submission=submission, item=item, score=Decimal(6), reason="SECRET REASON", by=world.ta.user)
    page = browser(world.student).get(reverse("submission", args=[submission.pk])).content
    assert b"SECRET REASON" not in page
    assert b"SECRET REASON" in browser(world.ta).get(reverse("submission", args=[submission.pk])).content


def test_a_regrade_keeps_the_override(world, submission, item):
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    regrade(submission=submission, by=world.ta.user)
    job = submission.jobs.first()
    _report_on(job, 0.0, 1.0)
    page = seen_by(world.ta, submission)
    assert page.total == Decimal(7)
    assert page.tasks[0].override.auto_score == Decimal(0)


def test_an_override_of_more_than_the_task_has_in_a_later_version_counts_as_all_of_it(world, submission, item):
    override(submission=submission, item=item, score=Decimal("5.5"), reason="partial credit", by=world.ta.user)
    release(submission=submission, by=world.ta.user)
    job = regrade(submission=submission, by=world.ta.user)
    finished(job, 1.0, 4.0, out_of=(2.0, 4.0))
    for viewer in (world.ta, world.student):
        page = seen_by(viewer, submission)
        assert (page.total, page.max_total, page.tasks[0].score, page.open_points) == (6, 6, 2, "All points.")
    (scored,) = score_all([submission], for_staff=True)
    (row,) = (row for row in sheet_of(world.lab).rows if row.enrollment == world.student)
    book = collect(world.offering).scores[world.student.pk]["lab:tiny"]
    asked = score_now(submission)
    assert (scored.score, row.total, sum(row.points.values()), book.points, book.share) == (6, 6, 6, 6, 1)
    assert (asked.score, [each.score for each in asked.items]) == (6, [2, 4])
    # the override itself stays, and stands again where the task has the points
    assert RubricScore.objects.get().score == Decimal("5.5")


def test_changing_a_released_override_waits_for_release_again(world, submission, item):
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    release(submission=submission, by=world.ta.user)
    override(submission=submission, item=item, score=Decimal(5), reason="on second thought", by=world.ta.user)
    assert seen_by(world.student, submission).total == Decimal(7)


def test_withdrawing_goes_back_to_the_automatic_score(world, submission, item):
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    assert withdraw_override(submission=submission, item=item, by=world.ta.user)
    assert not withdraw_override(submission=submission, item=item, by=world.ta.user)
    assert seen_by(world.ta, submission).total == Decimal(7)
    assert not RubricScore.objects.exists()


@pytest.mark.parametrize("score", ["-0.01", "6.01", "100"])
def test_a_score_outside_the_items_points_is_refused(world, submission, item, score):
    with pytest.raises(OverrideRefused, match="Adding takes 0 to 6 points"):
        override(submission=submission, item=item, score=Decimal(score), reason="because", by=world.ta.user)


@pytest.mark.parametrize("reason", ["", "  ", "ok"])
def test_a_score_needs_a_reason(world, submission, item, reason):
    with pytest.raises(OverrideRefused, match="reason"):
        override(submission=submission, item=item, score=Decimal(1), reason=reason, by=world.ta.user)


@pytest.mark.parametrize("score", ["abc", "", "NaN", "Infinity", "1e999", "1.234"])
def test_a_score_that_is_no_number_is_answered_with_a_sentence(world, submission, item, score, browser):
    url = reverse("submission-override", args=[submission.pk])
    data = {"item": item.pk, "score": score, "reason": "because"}
    response = browser(world.ta).post(url, data, follow=True)
    assert response.status_code == 200
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert not RubricScore.objects.exists()


def test_an_item_of_another_labs_rubric_is_not_there(world, submission, browser):
    foreign = world.other_lab.rubric.items.first()
    url = reverse("submission-override", args=[submission.pk])
    for item in (foreign.pk, "x", "", "9" * 30):
        response = browser(world.ta).post(url, {"item": item, "score": "1", "reason": "because"})
        assert response.status_code == 404


def test_every_act_leaves_a_line(world, submission, item):
    override(submission=submission, item=item, score=Decimal(6), reason="partial credit", by=world.ta.user)
    release(submission=submission, by=world.instructor.user)
    withdraw_override(submission=submission, item=item, by=world.ta.user)
    regrade(submission=submission, by=world.ta.user)
    lines = list(AuditEvent.objects.order_by("pk").values_list("actor_name", "action", "before", "after", "reason"))
    assert lines[0] == ("Priya Raman", "overrode", "Adding: automatic", "Adding: 6", "partial credit")
    assert lines[1][:2] == ("Ines Carvalho", "released")
    assert [line[1] for line in lines] == ["overrode", "released", "withdrew override", "regraded"]


def test_releasing_nothing_leaves_no_line(world, submission):
    assert release(submission=submission, by=world.ta.user) == 0
    assert not AuditEvent.objects.exists()


def _report_on(job, first: float, second: float) -> None:
    from grader.contract import CheckResult, GradeReport, Outcome, Task, Verdict
    from grading import claims

    checks = (
        CheckResult("adds", "1", "adds", Verdict.FAILED, first, 6.0, "", hidden=False),
        CheckResult("scales", "2", "scales", Verdict.FAILED, second, 4.0, "", hidden=True),
    )
    tasks = (Task("1", "Adding", 6.0), Task("2", "Scaling", 4.0))
    report = GradeReport(Outcome.GRADED, first + second, 10.0, seed=2, checks=checks, tasks=tasks)
    assert claims.record_report(claims.claim(job_id=job.pk, worker="test"), report)
