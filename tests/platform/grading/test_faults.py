"""A fault of ours: tried again elsewhere, then handed to staff; the student loses nothing and is told so."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from grading import claims, workers
from grading.models import GradeReport, GradingJob, Lane
from grading.runner import run_job
from grading.selectors import attempts_used
from grading.services import regrade
from grading.sweep import sweep
from submissions import storage
from tests.factories import WorkerFactory, graded, practice, reported, submit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broken(world) -> GradingJob:
    """A submission whose stored bytes are not those that came, so that every run of it is our fault."""
    submission = submit(world.lab, world.student)
    storage.path(submission.files.get().sha256).write_bytes(b"something else")
    return submission.jobs.get()


def fault(job: GradingJob, worker: str) -> None:
    held = claims.claim(job_id=job.pk, worker=worker)
    assert claims.record_fault(held, error="no free control group")


def busy(world, worker: str) -> None:
    """Another worker that works on a job of the same lane."""
    assert claims.claim(job_id=submit(world.lab, world.classmate).jobs.get().pk, worker=worker)


def may_take(worker: str) -> bool:
    """Whether the worker gets a job; what it took is put back."""
    held = claims.claim_next(lane=Lane.GRADING, worker=worker)
    if held is not None:
        GradingJob.objects.filter(pk=held.job_id).update(started_at=None, lease_until=None, worker="")
    return held is not None


def test_two_faults_on_two_workers_and_it_needs_staff(broken):
    run_job(broken.pk, worker="one")
    broken.refresh_from_db()
    assert (broken.status, broken.faults, broken.faulted_on) == ("requested", 1, "one")
    run_job(broken.pk, worker="two")
    broken.refresh_from_db()
    assert (broken.status, broken.faults) == ("needs staff", 2)
    told = [line for line in broken.error.splitlines() if line.startswith("On ")]
    assert told == ["On one:", "On two:"], "staff read what failed where"
    assert "not the one that was received" in broken.error
    assert not GradeReport.objects.exists()


def test_the_worker_that_failed_leaves_the_job_to_another_that_is_alive(world, broken, at):
    start = clock.now()
    fault(broken, "one")
    row = WorkerFactory(name="two")
    busy(world, "two")
    assert not may_take("one")
    assert may_take("two")
    for seconds in range(0, 200, 20):
        at(start + timedelta(seconds=seconds))
        GradingJob.objects.filter(worker="two").update(lease_until=clock.now() + timedelta(seconds=60))
        workers.beat(row)
        assert not may_take("one")


def test_the_only_worker_tries_again_after_a_minute(broken, at):
    start = clock.now()
    at(start)
    fault(broken, "one")
    at(start + timedelta(seconds=59))
    assert not may_take("one")
    at(start + timedelta(seconds=60))
    assert may_take("one")


def test_a_worker_that_was_not_heard_of_for_a_minute_is_not_waited_for(world, broken, at):
    start = clock.now()
    at(start)
    fault(broken, "one")
    busy(world, "two")
    at(start + timedelta(seconds=62))
    held = claims.claim_next(lane=Lane.GRADING, worker="one")
    assert held.job_id == broken.pk


def test_the_message_of_a_job_that_is_left_to_others_is_sent_again(broken, live_redis, at):
    start = clock.now()
    at(start)
    fault(broken, "one")
    live_redis.flushall()
    run_job(broken.pk, worker="one")
    broken.refresh_from_db()
    assert (broken.status, broken.queued_at, broken.attempt) == ("requested", None, 1)
    assert sweep().redriven == 1
    assert sweep().redriven == 0, "one message is enough"


def test_an_error_that_nobody_foresaw_gives_the_job_back_at_once(world):
    job = submit(world.lab, world.student).jobs.get()
    folder = world.lab.lab.folder
    kept = folder.with_name("kept")
    folder.rename(kept)
    try:
        with pytest.raises(Exception, match="is no lab"):
            run_job(job.pk, worker="one")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)
    job.refresh_from_db()
    assert (job.status, job.faults) == ("requested", 1)
    assert "is no lab" in job.error
    run_job(job.pk, worker="two")
    assert GradeReport.objects.get().job == job


def test_a_job_that_no_worker_survives_needs_staff(world, live_redis, at, settings):
    moment = clock.now()
    job, behind = (submit(world.lab, world.student).jobs.get() for _ in range(2))
    for number in range(settings.GRADING_MAX_CLAIMS):
        assert claims.claim_next(lane=Lane.GRADING, worker=f"worker {number}").job_id == job.pk
        moment += timedelta(seconds=settings.GRADING_LEASE_S + 1)
        at(moment)
        live_redis.flushall()
        sweep()
    job.refresh_from_db()
    assert job.status == "needs staff"
    assert "3 workers took this job and none came back. The last one was worker 2." in job.error
    assert live_redis.llen("grading") == 1, "the student's next one is nudged"
    assert claims.claim_next(lane=Lane.GRADING, worker="four").job_id == behind.pk


class TestWhatPeopleSee:
    def test_the_student_reads_whose_fault_it_is_and_loses_no_attempt(self, world, broken, browser, at):
        world.lab.max_attempts = 1
        world.lab.save()
        at(broken.requested_at)
        fault(broken, "one")
        assert attempts_used(world.lab, world.student) == 1
        fault(broken, "two")
        assert attempts_used(world.lab, world.student) == 0
        body = browser(world.student).get(reverse("submission", args=[broken.submission_id])).content.decode()
        moment = broken.requested_at.astimezone(world.offering.zone)
        for words in (
            "The fault is ours, and this does not count as an attempt.",
            f"safe, with its time: {moment:%a} {moment.day} {moment:%b %Y, %H:%M:%S}",
            "Needs staff",
            "icon-wrench",
        ):
            assert words in body
        assert "control group" not in body
        assert "Send it again" not in body
        assert submit(world.lab, world.student).number == 2

    def test_staff_find_it_read_why_and_send_it_again(self, world, broken, browser):
        reported(submit(world.lab, world.classmate))
        fault(broken, "one")
        fault(broken, "two")
        ta = browser(world.ta)
        overview = ta.get(reverse("dashboard", args=[world.offering.slug])).content.decode()
        assert "1 needs staff" in overview
        assert "?only=needs-staff" in overview
        listed = ta.get(reverse("lab-submissions", args=[world.offering.slug, world.lab.slug]), {"only": "needs-staff"})
        assert [row.pk for row in listed.context["page"].rows] == [broken.submission_id]
        url = reverse("submission", args=[broken.submission_id])
        body = ta.get(url).content.decode()
        assert "Send it again" in body
        assert "On two:\nno free control group" in body
        ta.post(reverse("submission-regrade", args=[broken.submission_id]))
        again = broken.submission.jobs.exclude(pk=broken.pk).get()
        assert (again.status, again.rerun, again.in_line_at) == ("requested", False, broken.submission.created_at)
        assert AuditEvent.objects.filter(action="regraded").exists()
        assert "Send it again" not in ta.get(url).content.decode()

    def test_a_failed_run_again_of_graded_work_keeps_score_and_attempt(self, world, browser):
        submission = graded(world.lab, world.student)
        again = regrade(submission=submission, by=world.ta.user)
        fault(again, "one")
        fault(again, "two")
        assert attempts_used(world.lab, world.student) == 1
        body = browser(world.student).get(reverse("submission", args=[submission.pk])).content.decode()
        assert "10<small> / 10" in body
        assert "when course staff ran this again. The fault is ours; what stood before stands." in body
        assert "does not count" not in body

    def test_a_practice_run_needs_nobody(self, world, browser):
        job = practice(world.lab, world.student)
        fault(job, "one")
        fault(job, "two")
        body = browser(world.student).get(reverse("job-progress", args=[job.pk])).content.decode()
        assert "Grader failed" in body
        assert "Run the checks again" in body
        assert "Needs staff" not in body
