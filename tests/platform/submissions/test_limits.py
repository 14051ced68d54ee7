"""How often one may hand in: attempts, the minutes between two, and setting aside what still waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import claims
from grading.models import GradingJob, Lane
from grading.selectors import attempts_used
from grading.services import cancel, regrade
from submissions.models import Submission
from submissions.services import SubmissionRefused
from tests.factories import notebook, reported, submit

pytestmark = pytest.mark.django_db


def limits(world, **values: int | None) -> None:
    for name, value in values.items():
        setattr(world.lab, name, value)
    world.lab.save()


def lab_url(world, name: str = "lab") -> str:
    return reverse(name, args=[world.offering.slug, world.lab.slug])


def post_work(client, world, **data: str):
    from django.core.files.uploadedfile import SimpleUploadedFile

    files = SimpleUploadedFile("tiny.ipynb", notebook("def add(a, b):\n    return a + b\n"))
    return client.post(lab_url(world, "lab-submit"), {"files": files, **data})


class TestCooldown:
    def test_the_second_waits_its_minutes_and_is_told_how_long(self, world, at):
        limits(world, cooldown_minutes=10)
        start = clock.now()
        at(start)
        submit(world.lab, world.student)
        at(start + timedelta(minutes=3, seconds=1))
        again = (start + timedelta(minutes=10)).astimezone(world.offering.zone)
        with pytest.raises(SubmissionRefused) as refused:
            submit(world.lab, world.student)
        assert "lie at least 10 minutes: you can submit again in 7 minutes, at" in str(refused.value)
        assert f"{again:%H:%M:%S}" in str(refused.value)
        assert submit(world.lab, world.classmate).number == 1
        at(start + timedelta(minutes=9, seconds=59))
        with pytest.raises(SubmissionRefused, match="again in 1 minute,"):
            submit(world.lab, world.student)
        at(start + timedelta(minutes=10))
        assert submit(world.lab, world.student).number == 2

    def test_a_fault_of_ours_starts_no_cooldown(self, world):
        limits(world, cooldown_minutes=10)
        submission = submit(world.lab, world.student)
        submission.jobs.update(failed_at=clock.now())
        assert submit(world.lab, world.student).number == 2

    def test_the_page_says_so_before_anyone_presses(self, world, browser):
        limits(world, cooldown_minutes=10)
        reported(submit(world.lab, world.student))
        body = browser(world.student).get(lab_url(world)).content.decode()
        assert "10 min between submissions" in body
        assert "you can submit again in 10 minutes, at" in body
        assert "disabled aria-describedby" in body

    def test_the_checks_can_be_run_meanwhile(self, world, browser):
        limits(world, cooldown_minutes=10)
        reported(submit(world.lab, world.student))
        response = browser(world.student).post(lab_url(world, "lab-run"), {"cell-x": "1"})
        assert response.status_code == 302


class TestAttempts:
    def test_what_was_stopped_before_it_ran_is_no_attempt(self, world, browser):
        limits(world, max_attempts=1)
        submission = submit(world.lab, world.student)
        cancel(job=submission.jobs.get(), by=world.student.user)
        assert attempts_used(world.lab, world.student) == 0
        body = browser(world.student).get(reverse("submission", args=[submission.pk])).content.decode()
        assert "stopped before it ran, so it does not count as an attempt" in body

    def test_what_was_stopped_while_it_ran_is_one(self, world, browser):
        limits(world, max_attempts=1)
        submission = submit(world.lab, world.student)
        claims.claim(job_id=submission.jobs.get().pk, worker="one")
        cancel(job=submission.jobs.get(), by=world.student.user)
        with pytest.raises(SubmissionRefused, match="used your only attempt"):
            submit(world.lab, world.student)
        body = browser(world.student).get(reverse("submission", args=[submission.pk])).content.decode()
        assert "counts as an attempt" in body


class TestSettingAside:
    def test_by_itself_nothing_is_set_aside(self, world, browser):
        submit(world.lab, world.student)
        post_work(browser(world.student), world)
        assert [job.status for job in GradingJob.objects.all()] == ["requested", "requested"]

    def test_the_choice_stands_on_the_page_only_while_one_waits(self, world, browser):
        client = browser(world.student)
        assert b'name="supersede"' not in client.get(lab_url(world)).content
        first = submit(world.lab, world.student)
        body = client.get(lab_url(world)).content.decode()
        assert body.count('name="supersede"') == 2, "beside the editor's button and the upload's"
        assert "in place of attempt 1, which still waits" in body
        assert "It stays stored with its time" in body
        assert b'name="supersede"' not in browser(world.classmate).get(lab_url(world)).content
        claims.claim(job_id=first.jobs.get().pk, worker="one")
        assert b'name="supersede"' not in client.get(lab_url(world)).content

    def test_what_is_set_aside_stays_stored_costs_nothing_and_says_so(self, world, browser):
        limits(world, max_attempts=1)
        first = submit(world.lab, world.student)
        created_at, files = first.created_at, list(first.files.values_list("sha256", flat=True))
        client = browser(world.student)
        response = post_work(client, world, supersede="yes")
        assert response.status_code == 302
        first.refresh_from_db()
        job = first.jobs.get()
        assert (job.status, job.superseded_by.number) == ("cancelled", 2)
        assert (first.created_at, list(first.files.values_list("sha256", flat=True))) == (created_at, files)
        assert attempts_used(world.lab, world.student) == 1
        body = client.get(reverse("submission", args=[first.pk])).content.decode()
        assert "You set this attempt aside for attempt 2. It is stored with its time" in body
        assert "Set aside" in client.get(lab_url(world, "lab-attempts")).content.decode()
        assert AuditEvent.objects.filter(action="set aside", actor=world.student.user).count() == 1
        with pytest.raises(SubmissionRefused, match="used your only"):
            submit(world.lab, world.student)

    def test_staff_can_grade_it_later(self, world, browser):
        first = submit(world.lab, world.student)
        submit(world.lab, world.student, supersede=True)
        body = browser(world.ta).get(reverse("submission", args=[first.pk])).content.decode()
        assert "Run the checks again" in body
        again = regrade(submission=first, by=world.ta.user)
        assert again.rerun, "after everyone who waits"
        held = claims.claim(job_id=again.pk, worker="one")
        assert claims.record_report(held, Report(Outcome.GRADED, 7.5, 10.0, seed=1))
        assert attempts_used(world.lab, world.student) == 1, "what was promised holds"
        assert "7.5</span>" in browser(world.student).get(lab_url(world, "lab-attempts")).content.decode()

    def test_what_began_meanwhile_runs_on(self, world):
        first = submit(world.lab, world.student)
        claims.claim(job_id=first.jobs.get().pk, worker="one")
        submit(world.lab, world.student, supersede=True)
        assert first.jobs.get().status == "running"

    def test_only_the_students_own_of_this_lab_and_not_what_staff_asked_for(self, world):
        from tests.factories import AssignmentFactory

        other_lab = AssignmentFactory(offering=world.offering, number=2)
        kept = [submit(world.lab, world.classmate), submit(other_lab, world.student)]
        graded = reported(submit(world.lab, world.student))
        again = regrade(submission=graded, by=world.ta.user)
        submit(world.lab, world.student, supersede=True)
        assert [submission.jobs.get().status for submission in kept] == ["requested", "requested"]
        again.refresh_from_db()
        assert again.status == "requested"

    def test_a_refused_hand_in_sets_nothing_aside(self, world, at):
        first = submit(world.lab, world.student)
        at(world.lab.due_at + timedelta(seconds=1))
        with pytest.raises(SubmissionRefused):
            submit(world.lab, world.student, supersede=True)
        assert first.jobs.get().status == "requested"
        assert Submission.objects.count() == 1

    def test_it_makes_room_where_the_queue_was_full(self, world, settings):
        for _ in range(settings.GRADING_MAX_WAITING):
            submit(world.lab, world.student)
        latest = submit(world.lab, world.student, supersede=True)
        assert claims.claim_next(lane=Lane.GRADING, worker="one").job_id == latest.jobs.get().pk


class TestLimitsPage:
    def test_instructors_set_both_and_the_trail_tells(self, world, browser):
        client, url = browser(world.instructor), lab_url(world, "lab-limits")
        assert lab_url(world, "lab-limits") in client.get(lab_url(world, "lab-submissions")).content.decode()
        assert client.post(url, {"max_attempts": "3", "cooldown_minutes": "15"}).status_code == 302
        world.lab.refresh_from_db()
        assert (world.lab.max_attempts, world.lab.cooldown_minutes) == (3, 15)
        assert 'value="15"' in client.get(url).content.decode()
        event = AuditEvent.objects.get(action="set limits")
        assert (event.before, event.after) == (
            "attempts: no limit; minutes between two: none",
            "attempts: 3; minutes between two: 15",
        )
        client.post(url, {"max_attempts": "", "cooldown_minutes": ""})
        world.lab.refresh_from_db()
        assert (world.lab.max_attempts, world.lab.cooldown_minutes) == (None, None)

    @pytest.mark.parametrize("value", ["0", "-3", "x", "99999", "1.5"])
    def test_a_limit_that_is_none_is_refused_beside_its_field(self, world, browser, value):
        response = browser(world.instructor).post(lab_url(world, "lab-limits"), {"cooldown_minutes": value})
        assert response.status_code == 422
        assert b"errorlist" in response.content
        world.lab.refresh_from_db()
        assert world.lab.cooldown_minutes is None

    def test_a_ta_changes_nothing(self, world, browser):
        assert browser(world.ta).post(lab_url(world, "lab-limits"), {"max_attempts": "1"}).status_code == 404
        world.lab.refresh_from_db()
        assert world.lab.max_attempts is None
