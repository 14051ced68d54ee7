"""Canaries: the reference solution proves a worker, a bad one takes it out and has exactly the right work graded again."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.utils import timezone

from assignments.services import publish_lab
from config import clock
from grading import canary, claims, drains
from grading.models import CanaryRun, Drain, GradeReport, GradingJob
from tests.factories import (
    TINY,
    AssignmentFactory,
    OfferingFactory,
    submit,
)
from tests.platform.grading.canaries import damage, graded_by, is_out, mend, notebook_of, send

pytestmark = pytest.mark.django_db(transaction=True)


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
        settings.SANDBOX = "bubblewrap"
        monkeypatch.setattr("grader.sandbox.bubblewrap.shutil.which", lambda _: None)
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
        old = OfferingFactory(ends_on=timezone.localdate(clock.now()) - timedelta(days=31))
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
