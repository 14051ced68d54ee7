"""Canaries: the reference solution proves a worker, a bad one takes it out and has exactly the right work graded again."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.urls import reverse

from assignments.services import publish_lab
from config import clock
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import canary, claims, drains, redrive, workers
from grading.models import CanaryRun, Drain, GradeReport, GradingJob
from grading.runner import run_job
from grading.selectors import attempts_used
from grading.services import regrade
from reviews.scores import score_all
from reviews.services import override
from tests.factories import (
    TINY,
    AssignmentFactory,
    OfferingFactory,
    WorkerFactory,
    practice,
    reported,
    submit,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own_labs(tmp_path: Path, settings) -> Path:
    """Published labs of this test alone, so that it may break them."""
    settings.LABS_DIR = tmp_path / "labs"
    return tmp_path / "labs"


@pytest.fixture
def course(own_labs, world):
    """The world, without the other offering's use of the lab."""
    return world


@pytest.fixture
def worker(course):
    return WorkerFactory()


@pytest.fixture
def other(course):
    return WorkerFactory()


def notebook_of(folder: Path) -> Path:
    return folder / "notebook.ipynb"


def damage(lab) -> None:
    """Let the reference solution subtract, in this worker's copy of the published lab."""
    file = notebook_of(lab.folder)
    whole = file.read_text()
    assert "return a + b" in whole
    file.write_text(whole.replace("return a + b", "return a - b"))


def mend(lab) -> None:
    shutil.copy(notebook_of(TINY), notebook_of(lab.folder))


def send(worker, lab) -> CanaryRun:
    return canary.run_canary(worker=worker, lab=lab)


def graded_by(worker, lab, student, first=6.0, second=4.0):
    """A submission with a report that this worker wrote."""
    submission = reported(submit(lab, student), first, second)
    GradingJob.objects.filter(submission=submission).update(worker=worker.name)
    return submission


def redriven() -> set[int]:
    return set(GradingJob.objects.filter(canary__isnull=False).values_list("submission_id", flat=True))


def is_out(worker) -> bool:
    return Drain.objects.open().filter(worker=worker, kind="canary").exists()


class TestTheRun:
    def test_the_reference_gets_all_points_and_no_student_hears_of_it(self, course, worker):
        run = send(worker, course.lab.lab)
        assert (run.problem, run.score, run.max_score) == ("", 10, 10)
        assert run.is_good
        assert not is_out(worker)
        assert not GradingJob.objects.exists()
        assert not GradeReport.objects.exists()

    def test_a_damaged_reference_says_which_points_are_missing(self, course, worker):
        damage(course.lab.lab)
        run = send(worker, course.lab.lab)
        assert run.score < 10
        assert "of 10 points" in run.problem
        assert "adds two arrays" in run.problem
        assert "not the published ones" in run.problem

    def test_files_that_changed_are_no_good_even_where_the_points_are_all_there(self, course, worker):
        handout = course.lab.lab.folder / "handout.md"
        handout.write_text(handout.read_text() + "\nMore.\n")
        run = send(worker, course.lab.lab)
        assert run.score == run.max_score
        assert "not the published ones" in run.problem

    def test_a_lab_that_is_not_there_is_a_bad_canary_with_its_trace(self, course, worker):
        shutil.rmtree(course.lab.lab.folder)
        run = send(worker, course.lab.lab)
        assert run.problem.startswith("Traceback")
        assert "is no lab" in run.problem
        assert is_out(worker)

    def test_a_sandbox_that_cannot_be_built_is_a_grader_error(self, course, worker, settings, monkeypatch):
        settings.SANDBOX = "docker"
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        assert "grader error" in send(worker, course.lab.lab).problem
        assert is_out(worker)

    def test_one_that_never_came_back_is_a_bad_one(self, course, worker, at, settings):
        start = clock.now()
        CanaryRun.objects.create(worker=worker, lab=course.lab.lab, seed=1, started_at=start)
        at(start + timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 59))
        assert canary.give_up_lost(worker) == 0
        at(start + timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 61))
        assert canary.give_up_lost(worker) == 1
        assert "did not come back" in CanaryRun.objects.get().problem
        assert is_out(worker)


class TestOutOfService:
    def test_the_worker_is_taken_out_and_a_good_canary_brings_it_back(self, course, worker, other):
        lab = course.lab.lab
        send(worker, lab)
        damage(lab)
        send(worker, lab)
        job = submit(course.lab, course.student).jobs.get()
        assert is_out(worker)
        assert claims.claim(job_id=job.pk, worker=worker.name) is None
        assert not is_out(other)
        mend(lab)
        send(worker, lab)
        assert not is_out(worker)
        assert claims.claim(job_id=job.pk, worker=worker.name)

    def test_a_second_bad_one_neither_drains_nor_asks_twice(self, course, worker):
        submission = graded_by(worker, course.lab, course.student)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        send(worker, course.lab.lab)
        assert Drain.objects.filter(worker=worker).count() == 1
        assert submission.jobs.filter(canary__isnull=False).count() == 1

    def test_staff_cannot_talk_a_bad_worker_back_and_a_good_canary_does_not_undo_staffs_drain(self, course, worker):
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        by = {"by": course.ta.user, "offering": course.offering}
        assert not drains.resume(worker=worker, **by)
        assert is_out(worker)
        drains.drain(worker=worker, **by)
        mend(course.lab.lab)
        send(worker, course.lab.lab)
        assert list(Drain.objects.holding(worker.name).values_list("kind", flat=True)) == ["staff"]

    def test_a_lab_that_no_worker_ever_graded_well_is_at_fault_itself(self, course, worker, tmp_path):
        broken = tmp_path / "broken"
        shutil.copytree(TINY, broken)
        settings = broken / "lab.toml"
        settings.write_text(settings.read_text().replace('slug = "tiny"', 'slug = "broken"'))
        notebook_of(broken).write_text(notebook_of(broken).read_text().replace("return a + b", "return a - b"))
        lab = publish_lab(broken)
        AssignmentFactory(offering=course.offering, slug="broken", number=2, lab=lab)
        send(worker, lab)
        assert is_out(worker), "with nothing else to go by, the worker is not trusted"
        send(worker, course.lab.lab)
        assert not is_out(worker), "it grades the other lab well, so it is the lab"
        assert canary.is_labs_fault(lab)


class TestGradedAgain:
    def test_exactly_what_the_worker_graded_since_its_last_good_canary(self, course, worker, other, at):
        lab, start = course.lab.lab, clock.now()
        before = graded_by(worker, course.lab, course.student)
        at(start + timedelta(minutes=1))
        send(worker, lab)
        at(start + timedelta(minutes=2))
        suspect = graded_by(worker, course.lab, course.student)
        of_another = graded_by(other, course.lab, course.student)
        superseded = graded_by(worker, course.lab, course.classmate)
        regrade(submission=superseded, by=course.ta.user)
        reported_again = superseded.jobs.first()
        claims.record_report(claims.claim(job_id=reported_again.pk, worker=other.name), _report(6.0))
        waiting = submit(course.lab, course.classmate)
        at(start + timedelta(minutes=3))
        damage(lab)
        send(worker, lab)
        assert redriven() == {suspect.pk}
        assert {before.pk, of_another.pk, superseded.pk, waiting.pk}.isdisjoint(redriven())

    def test_without_a_good_canary_everything_since_its_start(self, course, worker):
        suspect = graded_by(worker, course.lab, course.student)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {suspect.pk}

    def test_a_lab_that_it_grades_well_is_suspect_too(self, course, worker, tmp_path):
        second = tmp_path / "second"
        shutil.copytree(TINY, second)
        toml = second / "lab.toml"
        toml.write_text(toml.read_text().replace('slug = "tiny"', 'slug = "second"'))
        other_lab = AssignmentFactory(offering=course.offering, slug="second", number=2, lab=publish_lab(second))
        for lab in (course.lab.lab, other_lab.lab):
            send(worker, lab)
        suspect = graded_by(worker, other_lab, course.student)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {suspect.pk}

    def test_what_failed_on_it_gets_another_chance(self, course, worker):
        submission = submit(course.lab, course.student)
        held = claims.claim(job_id=submission.jobs.get().pk, worker=worker.name)
        claims.fail(held, error="the card is gone")
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {submission.pk}

    def test_a_stopped_regrade_does_not_shield_the_result_that_stands(self, course, worker):
        submission = graded_by(worker, course.lab, course.student)
        regrade(submission=submission, by=course.ta.user)
        GradingJob.objects.active().update(cancelled_at=clock.now())
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {submission.pk}

    def test_a_claim_that_passed_just_before_the_drain_is_found_by_the_canary_that_brings_it_back(self, course, worker):
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        late = graded_by(worker, course.lab, course.student)
        mend(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {late.pk}

    def test_what_it_runs_is_taken_from_it_and_its_report_is_worth_nothing(self, course, worker, other):
        job = submit(course.lab, course.student).jobs.get()
        theirs = submit(course.lab, course.classmate).jobs.get()
        held = claims.claim(job_id=job.pk, worker=worker.name)
        kept = claims.claim(job_id=theirs.pk, worker=other.name)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert not claims.heartbeat(held)
        assert not claims.record_report(held, _report(0.0))
        assert claims.heartbeat(kept)
        job.refresh_from_db()
        assert (job.status, job.attempt) == ("requested", 0)
        assert claims.claim(job_id=job.pk, worker=other.name)

    def test_a_practice_run_that_it_runs_is_taken_too_and_one_that_ended_is_let_be(self, course, worker):
        running = practice(course.lab, course.student)
        ended = practice(course.lab, course.classmate)
        claims.record_report(claims.claim(job_id=ended.pk, worker=worker.name), _report(4.0))
        held = claims.claim(job_id=running.pk, worker=worker.name)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert not claims.heartbeat(held)
        assert GradingJob.objects.count() == 2

    def test_a_real_run_under_way_ends_and_is_graded_by_another_worker(
        self, course, worker, other, settings, monkeypatch
    ):
        settings.GRADING_HEARTBEAT_S = 0.1
        slow = "import time\n\ndef add(a, b):\n    time.sleep(1.5)\n    return a + b\n\ndef scale(a, factor):\n    return a * factor\n"
        job = submit(course.lab, course.student, slow).jobs.get()
        monkeypatch.setattr(workers, "_own", [worker.name])
        thread = threading.Thread(target=lambda: (run_job(job.pk), connection.close()))
        thread.start()
        until = time.monotonic() + 10
        while GradingJob.objects.get().status != "running":
            assert time.monotonic() < until
            time.sleep(0.02)
        assert redrive.take_back(worker) == 1
        thread.join(timeout=20)
        assert not GradeReport.objects.exists()
        monkeypatch.setattr(workers, "_own", [other.name])
        run_job(job.pk)
        assert GradeReport.objects.get().score == 10
        assert GradingJob.objects.get().worker == other.name


class TestWhatStudentsSee:
    @pytest.fixture
    def again(self, course, worker):
        """A submission of 6 points by a worker that turned bad: its code earns all 10."""
        submission = graded_by(worker, course.lab, course.student, first=6.0, second=0.0)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        mend(course.lab.lab)
        return submission

    def page(self, browser, who, submission) -> str:
        return browser(who).get(reverse("submission", args=[submission.pk])).content.decode()

    def test_nothing_until_the_new_result_is_there(self, course, again, browser):
        text = self.page(browser, course.student, again)
        assert "Graded" in text
        assert "Waiting" not in text
        assert "again" not in text
        assert attempts_used(course.lab, course.student) == 1

    def test_nor_by_guessing_the_number_of_the_run(self, course, again, browser):
        pk = again.jobs.first().pk
        student = browser(course.student)
        assert student.get(reverse("job-progress", args=[pk])).status_code == 404
        assert student.post(reverse("job-cancel", args=[pk])).status_code == 404
        assert browser(course.ta).get(reverse("job-progress", args=[pk])).status_code == 200

    def test_a_score_that_changed_is_told_with_both_numbers(self, course, again, browser):
        run_job(again.jobs.first().pk)
        text = self.page(browser, course.student, again)
        assert "changed from 6 to 10" in text

    def test_a_score_that_stays_is_not_spoken_of(self, course, worker, other, browser):
        submission = graded_by(worker, course.lab, course.student)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        mend(course.lab.lab)
        job = submission.jobs.first()
        claims.record_report(claims.claim(job_id=job.pk, worker=other.name), _report(10.0))
        text = self.page(browser, course.student, submission)
        assert "graded again" not in text
        assert "changed from" not in text

    def test_a_second_run_that_fails_leaves_the_result_that_stood(self, course, again, other, browser):
        claims.fail(claims.claim(job_id=again.jobs.first().pk, worker=other.name), error="no card")
        assert "Grader failed" not in self.page(browser, course.student, again)
        (scored,) = score_all([again], for_staff=False)
        assert (scored.score, scored.chip.label) == (6, "Graded")

    def test_what_staff_decided_stays(self, course, again):
        item = course.lab.rubric.items.first()
        override(submission=again, item=item, score=5, reason="a fine idea", by=course.ta.user)
        run_job(again.jobs.first().pk)
        (scored,) = score_all([again], for_staff=True)
        assert (scored.score, scored.overridden) == (9, True)  # 5 by hand, 4 by the checks

    def test_a_regrade_that_staff_ask_for_later_is_no_correction(self, course, again, other, browser):
        run_job(again.jobs.first().pk)
        job = regrade(submission=again, by=course.ta.user)
        claims.record_report(claims.claim(job_id=job.pk, worker=other.name), _report(3.0))
        assert "changed from" not in self.page(browser, course.student, again)


class TestWhenOneIsDue:
    def test_at_the_start_then_every_ten_minutes(self, course, worker, at):
        start = clock.now()
        at(start)
        assert canary.labs_due(worker) == [course.lab.lab]
        send(worker, course.lab.lab)
        at(start + timedelta(minutes=9, seconds=59))
        assert canary.labs_due(worker) == []
        at(start + timedelta(minutes=10))
        assert canary.labs_due(worker) == [course.lab.lab]

    def test_soon_again_while_the_worker_is_out(self, course, worker, at):
        start = clock.now()
        at(start)
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        at(start + timedelta(seconds=60))
        assert canary.labs_due(worker) == [course.lab.lab]

    def test_not_while_staff_keep_it_drained(self, course, worker):
        drains.drain(worker=worker, by=course.ta.user, offering=course.offering)
        assert canary.labs_due(worker) == []

    def test_never_where_they_are_off(self, worker, settings):
        settings.CANARY_MINUTES = 0
        assert canary.labs_due(worker) == []

    def test_no_lab_of_an_offering_that_is_long_over(self, course, worker):
        old = OfferingFactory(ends_on=clock.now().date() - timedelta(days=31))
        course.other_lab.offering.delete()
        course.lab.offering = old
        course.lab.save()
        assert canary.labs_due(worker) == []

    def test_not_on_a_worker_of_other_lanes(self, worker):
        worker.queues = "elsewhere"
        assert canary.labs_due(worker) == []


def test_old_good_canaries_go_and_the_last_one_stays(course, worker, at):
    start = clock.now()
    for days in (0, 1, 5):
        at(start + timedelta(days=days))
        send(worker, course.lab.lab)
    assert [run.started_at - start for run in CanaryRun.objects.all()] == [timedelta(days=5)]
    damage(course.lab.lab)
    at(start + timedelta(days=9))
    send(worker, course.lab.lab)
    assert [run.is_good for run in CanaryRun.objects.all()] == [False, True]


def _report(score: float) -> Report:
    return Report(Outcome.GRADED, score, 10.0, seed=1)
