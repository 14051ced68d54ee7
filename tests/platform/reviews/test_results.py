"""The result page: what a student may learn of hidden checks, what staff see, attempts side by side."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from config import clock
from grader.contract import GradeReport
from reviews.lists import attempts_page, compare_page
from reviews.selectors import result_page
from submissions.access import get_submission_for
from tests.factories import reported, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def submission(world):
    return reported(submit(world.lab, world.student), 6.0, 1.0)


def page_of(who, submission):
    return result_page(get_submission_for(who.user, submission.pk))


def test_a_hidden_check_keeps_its_finding_to_itself_until_release(world, submission, browser):
    url, report_url = (reverse(name, args=[submission.pk]) for name in ("submission", "submission-report"))
    for address in (url, report_url):
        body = browser(world.student).get(address).content
        assert b"SECRET" not in body
        assert b"NOTE" not in body
    assert page_of(world.student, submission).tasks[1].checks[0].state == "hidden"
    world.lab.released_at = clock.now()
    world.lab.save()
    for address in (url, report_url):
        body = browser(world.student).get(address).content
        assert b"SECRET" in body
        assert b"NOTE" not in body
    assert page_of(world.student, submission).tasks[1].checks[0].state == "partly"


def test_staff_see_everything_at_once(world, submission, browser):
    body = browser(world.ta).get(reverse("submission", args=[submission.pk])).content
    assert b"SECRET" in body
    assert b"NOTE" in body


def test_the_downloaded_report_is_one(world, submission, browser):
    response = browser(world.student).get(reverse("submission-report", args=[submission.pk]))
    assert GradeReport.from_json(response.content).score == 7.0
    assert response.headers["Content-Disposition"] == f'attachment; filename="submission-{submission.pk}-report.json"'


def test_a_submission_that_waits_has_a_page_and_no_report(world, browser):
    submission = submit(world.lab, world.student)
    page = page_of(world.student, submission)
    assert (page.report, page.total, page.chip.label, page.can_cancel) == (None, None, "Waiting", True)
    assert browser(world.student).get(reverse("submission", args=[submission.pk])).status_code == 200
    assert browser(world.student).get(reverse("submission-report", args=[submission.pk])).status_code == 404


def test_a_failure_of_the_grader_is_told_without_its_cause(world, browser):
    submission = submit(world.lab, world.student)
    submission.jobs.update(failed_at=clock.now(), error="no cgroup at /sys/fs/cgroup")
    url = reverse("submission", args=[submission.pk])
    body = browser(world.student).get(url).content.decode()
    assert "The fault is ours, and this does not count as an attempt. Your submission is safe, with its time:" in body
    assert "Needs staff" in body
    assert "icon-wrench" in body
    assert "cgroup" not in body
    assert "cgroup" in browser(world.ta).get(url).content.decode()


def test_the_points_still_open_are_named_and_where_to_start(world, submission):
    assert page_of(world.student, submission).open_points == "3 points are still open, in task 2. Start with “scales”."
    full = reported(submit(world.lab, world.student), 6.0, 4.0)
    assert page_of(world.student, full).open_points == "All points."


def test_attempts_know_their_neighbours(world, submission):
    second, third = (reported(submit(world.lab, world.student)) for _ in range(2))
    page = page_of(world.student, second)
    assert (page.previous_pk, page.next_pk, page.attempts) == (submission.pk, third.pk, 3)


def test_the_best_attempt_counts_and_of_equals_the_earliest(world):
    scores = [(3.0, 0.0), (6.0, 4.0), (6.0, 4.0), (0.0, 0.0)]
    made = [reported(submit(world.lab, world.student), *pair) for pair in scores]
    page = attempts_page(world.student, world.lab)
    assert page.best_pk == made[1].pk
    assert [row.counts for row in page.rows] == [False, False, True, False]


def test_two_attempts_are_compared_check_by_check(world):
    before = reported(submit(world.lab, world.student), 0.0, 4.0)
    after = reported(submit(world.lab, world.student), 6.0, 4.0)
    accesses = [get_submission_for(world.student.user, made.pk) for made in (after, before)]
    page = compare_page(*accesses)
    assert (page.before.pk, page.after.pk) == (before.pk, after.pk)
    assert (page.better, page.worse, page.same) == (1, 0, 1)
    assert page.rows[0].change == Decimal(6)
    assert (page.rows[0].before, page.rows[0].after) == ("failed", "passed")
    assert page.rows[1].after == "hidden"


def test_a_refused_submission_says_why(world):
    from grader.contract import GradeReport as Report
    from grader.contract import Outcome
    from grading import claims

    submission = submit(world.lab, world.student)
    report = Report(Outcome.REFUSED, 0.0, 10.0, seed=1, message="Your cell 3 is not valid Python.")
    claims.record_report(claims.claim(job_id=submission.jobs.get().pk, worker="test"), report)
    page = page_of(world.student, submission)
    assert (page.chip.label, page.refusal, page.total) == ("Not gradable", "Your cell 3 is not valid Python.", None)
