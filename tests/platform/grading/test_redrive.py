"""What a bad worker graded is graded again: exactly that, and students hear of a changed score alone."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from assignments.services import publish_lab
from config import clock
from grading import claims, redrive, workers
from grading.models import GradeReport, GradingJob
from grading.runner import run_job
from grading.selectors import attempts_used
from grading.services import regrade, request_trials
from reviews.scores import score_all
from reviews.services import override
from submissions.models import Submission
from tests.factories import TINY, AssignmentFactory, practice, republish, submit
from tests.platform.grading.canaries import damage, fail_for_good, graded_by, mend, redriven, report_of, send

pytestmark = pytest.mark.django_db(transaction=True)


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
        claims.record_report(claims.claim(job_id=reported_again.pk, worker=other.name), report_of(6.0))
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
        fail_for_good(held, "the card is gone")
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

    def test_nor_does_one_that_failed_by_our_fault(self, course, worker, other):
        submission = graded_by(worker, course.lab, course.student)
        again = regrade(submission=submission, by=course.ta.user)
        fail_for_good(claims.claim(job_id=again.pk, worker=other.name), "no card")
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {submission.pk}

    def test_nor_does_a_dry_run_of_a_regrade(self, course, worker, other):
        submission = graded_by(worker, course.lab, course.student)
        (trial,) = request_trials(submissions=[submission], lab=course.lab.lab)
        claims.record_report(claims.claim(job_id=trial.pk, worker=other.name), report_of(3.0))
        damage(course.lab.lab)
        send(worker, course.lab.lab)
        assert redriven() == {submission.pk}

    def test_a_version_published_since_changes_no_score_by_this_either(self, course, worker, other, tmp_path):
        submission = graded_by(worker, course.lab, course.student)
        old, new = course.lab.lab, republish(course.lab, tmp_path / "newer")
        damage(new)
        send(worker, new)
        (again,) = submission.jobs.filter(canary__isnull=False)
        assert again.lab == old
        assert regrade(submission=graded_by(other, course.lab, course.classmate), by=course.ta.user).lab == new

    def test_of_two_runs_that_are_suspect_the_later_one_is_made_again(self, course, worker, tmp_path):
        submission = graded_by(worker, course.lab, course.student)
        new = republish(course.lab, tmp_path / "newer")
        again = regrade(submission=Submission.objects.get(pk=submission.pk), by=course.ta.user)
        fail_for_good(claims.claim(job_id=again.pk, worker=worker.name), "no card")
        damage(new)
        send(worker, new)
        assert [job.lab for job in submission.jobs.filter(canary__isnull=False)] == [new]

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
        assert not claims.record_report(held, report_of(0.0))
        assert claims.heartbeat(kept)
        job.refresh_from_db()
        assert (job.status, job.attempt) == ("requested", 0)
        assert claims.claim(job_id=job.pk, worker=other.name)

    def test_a_practice_run_that_it_runs_is_taken_too_and_one_that_ended_is_let_be(self, course, worker):
        running = practice(course.lab, course.student)
        ended = practice(course.lab, course.classmate)
        claims.record_report(claims.claim(job_id=ended.pk, worker=worker.name), report_of(4.0))
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
        claims.record_report(claims.claim(job_id=job.pk, worker=other.name), report_of(10.0))
        text = self.page(browser, course.student, submission)
        assert "graded again" not in text
        assert "changed from" not in text

    def test_a_second_run_that_fails_leaves_the_result_that_stood(self, course, again, other, browser):
        fail_for_good(claims.claim(job_id=again.jobs.first().pk, worker=other.name), "no card")
        assert "Needs staff" not in self.page(browser, course.student, again)
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
        claims.record_report(claims.claim(job_id=job.pk, worker=other.name), report_of(3.0))
        assert "changed from" not in self.page(browser, course.student, again)
