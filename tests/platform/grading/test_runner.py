"""A job from claim to report, through the real grader; stopped, lost, and failed by our own fault."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from config import clock
from grader.contract import Outcome
from grading import claims, services
from grading.models import GradeReport, GradingJob
from grading.runner import Heartbeat, job_spec, run_job
from tests.factories import HALF, RIGHT, WRONG, graded, practice, submit

pytestmark = pytest.mark.django_db(transaction=True)
SLOW = "import time\n\ndef add(a, b):\n    time.sleep(1.5)\n    return a + b\n\nscale = add\n"


@pytest.mark.parametrize(("source", "score"), [(RIGHT, 10), (HALF, 6), (WRONG, 0)])
def test_a_submission_gets_the_score_that_its_code_earns(world, source, score):
    submission = graded(world.lab, world.student, source)
    stored = GradeReport.objects.get(job__submission=submission)
    assert (stored.score, stored.max_score, stored.outcome) == (score, 10, Outcome.GRADED)
    assert submission.jobs.get().status == "finished"


def test_the_seed_of_the_job_is_the_seed_of_the_report(world):
    job = graded(world.lab, world.student).jobs.get()
    assert job.stored_report.report.seed == job.seed


def test_a_practice_run_runs_the_public_checks_alone(world):
    job = practice(world.lab, world.student)
    run_job(job.pk)
    report = GradeReport.objects.get(job=job).report
    assert report.checks
    assert not any(check.hidden for check in report.checks)


def test_the_grader_learns_nothing_about_the_person(world):
    job = submit(world.lab, world.student).jobs.get()
    spec = repr(job_spec(job))
    assert world.student.user.email not in spec
    assert world.student.user.name not in spec


def test_a_stopped_job_stores_nothing(world, settings):
    settings.GRADING_HEARTBEAT_S = 0.1
    job = submit(world.lab, world.student, SLOW).jobs.get()
    worker = threading.Thread(target=lambda: (run_job(job.pk), connection.close()))
    worker.start()
    _wait_for(lambda: GradingJob.objects.get(pk=job.pk).status == "running")
    assert services.cancel(job=job, by=world.student.user)
    worker.join(timeout=20)
    assert not worker.is_alive()
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not GradeReport.objects.exists()


def test_a_worker_that_lost_its_lease_hears_of_it(world, settings):
    settings.GRADING_HEARTBEAT_S = 0.05
    job = submit(world.lab, world.student).jobs.get()
    held = claims.claim(job_id=job.pk, worker="slow")
    with Heartbeat(held) as beat:
        assert not beat.is_lost()
        GradingJob.objects.filter(pk=job.pk).update(lease_until=clock.now(), fence=held.fence + 1)
        _wait_for(beat.is_lost)


def test_a_cancelled_job_cannot_be_cancelled_again(world):
    job = submit(world.lab, world.student).jobs.get()
    assert services.cancel(job=job, by=world.student.user)
    assert not services.cancel(job=job, by=world.student.user)


def test_a_second_practice_run_takes_the_place_of_the_first(world):
    first, second = practice(world.lab, world.student), practice(world.lab, world.student)
    first.refresh_from_db()
    assert (first.status, second.status) == ("cancelled", "requested")


def test_only_the_latest_practice_runs_are_kept(world, settings):
    settings.PRACTICE_RUNS_KEPT = 3
    for _ in range(5):
        practice(world.lab, world.student)
    theirs = practice(world.lab, world.classmate)
    assert world.student.practice_runs.count() == 3
    assert GradingJob.objects.filter(practice_run__enrollment=world.student).count() == 3
    assert GradingJob.objects.filter(pk=theirs.pk).exists()


def test_a_regrade_is_a_second_job_and_keeps_the_first_report(world):
    submission = graded(world.lab, world.student)
    again = services.regrade(submission=submission, by=world.ta.user)
    with pytest.raises(services.GradingRefused, match="running"):
        services.regrade(submission=submission, by=world.ta.user)
    run_job(again.pk)
    assert GradeReport.objects.filter(job__submission=submission).count() == 2


def _wait_for(condition, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
