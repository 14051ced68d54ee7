"""The grader health page: what it says in each state, to whom, and how its parts renew themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from config import clock
from grading import claims, drains
from grading.faults import fingerprint
from grading.health import canary_chip, health_page
from grading.models import CanaryRun, Drain, GradingJob
from tests.factories import OfferingFactory, WorkerFactory, person, practice, reported, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(world):
    return reverse("grader-health", args=[world.offering.slug])


@pytest.fixture
def page(world, browser, url):
    """`page()`: the page's text as a TA sees it."""
    return lambda **headers: browser(world.ta).get(url, headers=headers).content.decode()


def run_of(world, worker, problem="", ago=60) -> CanaryRun:
    ended = clock.now() - timedelta(seconds=ago)
    return CanaryRun.objects.create(
        worker=worker,
        lab=world.lab.lab,
        seed=1,
        started_at=ended - timedelta(seconds=2),
        ended_at=ended,
        score=4 if problem else 10,
        max_score=10,
        problem=problem,
    )


def failed(world, student, error, lab=None) -> GradingJob:
    job = submit(lab or world.lab, student).jobs.get()
    for worker in ("one", "two"):
        claims.record_fault(claims.claim(job_id=job.pk, worker=worker), error=error)
    return job


@pytest.mark.usefixtures("live_redis")
class TestTheWhole:
    def state(self, world):
        found = health_page(world.ta)
        return found.kind, found.summary

    def test_nobody_is_there(self, world, page):
        submit(world.lab, world.student)
        assert self.state(world) == ("error", "No worker runs, so nothing is graded. 1 job waiting; nothing is lost.")
        assert "No worker has been seen within a day" in page()

    def test_all_is_well(self, world):
        WorkerFactory()
        assert self.state(world) == ("success", "All well: 1 worker in service, 0 jobs waiting.")

    def test_some_are_out(self, world):
        WorkerFactory()
        drains.drain(worker=WorkerFactory(), by=world.ta.user, offering=world.offering)
        assert self.state(world) == ("warning", "1 of 2 workers in service, 0 jobs waiting.")

    def test_none_is_in_service(self, world):
        drains.drain(worker=WorkerFactory(), by=world.ta.user, offering=world.offering)
        assert self.state(world)[0] == "error"
        assert "No worker is in service" in self.state(world)[1]

    def test_all_are_drained(self, world, page):
        WorkerFactory()
        drains.drain(worker=None, by=world.ta.user, offering=world.offering)
        assert self.state(world)[0] == "warning"
        assert "Drained by Priya Raman" in page()
        assert "Resume all workers" in page()
        assert "Drain all workers" not in page()

    def test_redis_is_away(self, world, settings, tmp_path, page):
        WorkerFactory()
        settings.REDIS_URL = f"unix://{tmp_path / 'nothing.sock'}"
        assert "Redis does not answer" in self.state(world)[1]
        assert "the sweeper sends them on" in page()

    def test_it_costs_few_questions_however_many_jobs(self, world, django_assert_max_num_queries):
        for _ in range(3):
            run_of(world, WorkerFactory())
            failed(world, world.student, "broken")
        with django_assert_max_num_queries(24):
            health_page(world.ta)


class TestWorkers:
    def row(self, world):
        (row,) = health_page(world.ta).workers
        return row

    @pytest.mark.parametrize(
        ("fields", "label", "present"),
        [
            ({}, "In service", True),
            ({"tested_at": None}, "Trying its walls", False),
            ({"open_walls": "memory: 300 MB", "stopped_at": 10}, "Refused to start", False),
            ({"stopped_at": 10}, "Ended", False),
            ({"seen_at": 31}, "Silent", False),
            ({"seen_at": 29}, "In service", True),
        ],
    )
    def test_each_state_has_its_word(self, world, at, fields, label, present):
        now = clock.now()
        at(now)
        moments = {k: now - timedelta(seconds=v) if isinstance(v, int) else v for k, v in fields.items()}
        WorkerFactory(started_at=now - timedelta(minutes=5), **moments)
        row = self.row(world)
        assert (row.chip.label, row.present) == (label, present)

    def test_an_open_wall_is_named(self, page):
        WorkerFactory(open_walls="memory: a run held 300 MB of 256 MB", stopped_at=clock.now())
        assert "memory: a run held 300 MB of 256 MB" in page()

    def test_approximate_limits_are_said(self, page):
        WorkerFactory(sandbox="bubblewrap (limits are approximate on this host)")
        assert "limits are approximate on this host" in page()

    def test_a_worker_that_a_canary_took_out_says_why_and_how_it_comes_back(self, world):
        worker = WorkerFactory()
        run = run_of(world, worker, "The reference solution got 4 of 10 points.")
        Drain.objects.create(
            worker=worker, kind="canary", opened_at=clock.now(), canary=run, suspect_since=worker.started_at
        )
        job = reported(submit(world.lab, world.student)).jobs.get()
        GradingJob.objects.filter(pk=job.pk).update(canary=run)
        row = self.row(world)
        assert (row.chip.label, row.in_service, row.graded_again) == ("Out of service", False, 1)
        assert row.note == "Its canary of Tiny was bad. A good one brings it back."

    def test_what_it_runs_now_is_counted(self, world):
        worker = WorkerFactory()
        claims.claim(job_id=submit(world.lab, world.student).jobs.get().pk, worker=worker.name)
        reported(submit(world.lab, world.classmate)).jobs.update(worker=worker.name)
        assert self.row(world).running == 1

    def test_those_that_ended_long_ago_are_gone(self, world):
        WorkerFactory(stopped_at=clock.now() - timedelta(hours=2))
        WorkerFactory(seen_at=clock.now() - timedelta(hours=25))
        assert health_page(world.ta).workers == ()

    def test_buttons_drain_and_resume(self, world, browser):
        worker, ta = WorkerFactory(), browser(world.ta)
        args = [world.offering.slug, worker.pk]
        told = ta.post(reverse("worker-drain", args=args), follow=True).content.decode()
        assert f"Drained: grader-1, process {worker.pid}." in told
        assert reverse("worker-resume", args=args) in told
        assert Drain.objects.holding(worker.name).exists()
        told = ta.post(reverse("worker-resume", args=args), follow=True).content.decode()
        assert "It takes jobs again." in told
        assert not Drain.objects.holding(worker.name).exists()
        ta.post(reverse("grader-drain", args=args[:1]))
        assert Drain.objects.holding("anybody").exists()
        ta.post(reverse("grader-resume", args=args[:1]))
        assert not Drain.objects.holding("anybody").exists()

    def test_resuming_one_that_a_canary_holds_says_that_it_is_held(self, world, browser):
        worker = WorkerFactory()
        run = run_of(world, worker, "bad")
        Drain.objects.create(worker=worker, kind="canary", opened_at=clock.now(), canary=run, suspect_since=clock.now())
        url = reverse("worker-resume", args=[world.offering.slug, worker.pk])
        assert "keeps it out of service" in browser(world.ta).post(url, follow=True).content.decode()


class TestCanaries:
    def test_a_bad_one_tells_its_problem(self, world, page):
        worker = WorkerFactory()
        run_of(world, worker, ago=600)
        run_of(world, worker, "The reference solution got 4 of 10 points. adds two arrays: failed.", ago=30)
        (row,) = health_page(world.ta).canaries
        assert (row.chip.label, row.score, row.bad_today) == ("Bad", 4, 1)
        assert "adds two arrays: failed." in page()

    def test_words(self, world, at):
        worker, now = WorkerFactory(), clock.now()
        at(now)
        assert canary_chip(None).label == "None yet"
        assert canary_chip(run_of(world, worker, "no points")).label == "The lab's fault"
        assert canary_chip(run_of(world, worker)).label == "Good"
        assert canary_chip(run_of(world, worker, ago=1259)).label == "Good"
        assert canary_chip(run_of(world, worker, ago=1261)).label == "Overdue"
        assert canary_chip(run_of(world, worker, "no points")).label == "Bad"

    def test_workers_that_are_gone_have_no_rows(self, world):
        run_of(world, WorkerFactory(stopped_at=clock.now()))
        assert health_page(world.ta).canaries == ()


class TestFaults:
    def test_the_same_fault_is_told_once_with_its_count_and_its_jobs(self, world, page, at):
        now = clock.now()
        at(now - timedelta(hours=2))
        first = failed(world, world.student, "Traceback\n  line 12\nno device 0x7f3a at 3")
        at(now)
        second = failed(world, world.classmate, "Traceback\n  line 12\nno device 0x81bc at 7")
        failed(world, world.student, "Traceback\n  line 12\nanother thing")
        faults = health_page(world.ta).faults
        assert [(fault.sentence, fault.count, fault.last_at) for fault in faults] == [
            ("another thing", 1, now),
            ("no device 0x81bc at 7", 2, now),
        ]
        assert [job.submission_pk for job in faults[1].jobs] == [second.submission_id, first.submission_id]
        text = page()
        assert "no device 0x81bc" in text
        assert reverse("submission", args=[first.submission_id]) in text

    def test_a_job_that_was_given_back_and_waits_again_is_told_too(self, world):
        job = practice(world.lab, world.student)
        claims.record_fault(claims.claim(job_id=job.pk, worker="one"), error="the engine is away")
        (fault,) = health_page(world.ta).faults
        assert (fault.sentence, fault.jobs[0].submission_pk) == ("the engine is away", None)

    def test_what_is_older_than_a_week_is_gone(self, world, at):
        now = clock.now()
        failed(world, world.student, "old")
        at(now + timedelta(days=7, minutes=1))
        assert health_page(world.ta).faults == ()

    def test_work_of_another_course_is_not_shown(self, world):
        failed(world, world.other_student, "theirs", lab=world.other_lab)
        assert health_page(world.ta).faults == ()
        assert len(health_page(world.other_instructor).faults) == 1

    def test_many_jobs_are_counted_and_some_linked(self, world, settings):
        settings.GRADING_MAX_WAITING = 100
        for _ in range(10):
            failed(world, world.student, "the same")
        (fault,) = health_page(world.ta).faults
        assert (fault.count, len(fault.jobs), fault.more) == (10, 8, 2)

    def test_a_trace_is_text_and_never_markup(self, world, page):
        failed(world, world.student, "<script>alert(1)</script>")
        assert "<script>alert" not in page()

    @pytest.mark.parametrize(
        ("one", "two", "same"),
        [
            ("job 12 at 0x7ffe", "job 9 at 0x1", True),
            ("file 3f9a0c77deadbeef is gone", "file 00aa11bb22cc33dd is gone", True),
            ("memory limit", "time limit", False),
            ("a\nb\n", "a\nb", True),
        ],
    )
    def test_what_counts_as_the_same(self, one, two, same):
        assert (fingerprint(one) == fingerprint(two)) is same


class TestThePage:
    def test_htmx_gets_the_part_alone_and_it_asks_again(self, page, url):
        part = page(**{"HX-Request": "true"})
        assert "<html" not in part
        assert f'hx-get="{url}" hx-trigger="every 5s"' in part
        assert part.strip().startswith('<div id="health"')

    def test_without_javascript_it_renews_itself_too(self, page):
        assert '<noscript><meta http-equiv="refresh"' in page()

    def test_staff_find_it_in_the_navigation_and_students_do_not(self, world, browser, url):
        home = reverse("dashboard", args=[world.offering.slug])
        assert url in browser(world.ta).get(home).content.decode()
        assert url not in browser(world.student).get(home).content.decode()

    def test_staff_of_a_course_that_is_long_over_no_longer_look_after_the_grader(self, browser):
        over = OfferingFactory(ends_on=timezone.localdate(clock.now()) - timedelta(days=31))
        ta = person(over, "ta")
        url = reverse("grader-health", args=[over.slug])
        assert browser(ta).get(url).status_code == 404
        assert browser(ta).post(reverse("grader-drain", args=[over.slug])).status_code == 404
        assert url not in browser(ta).get(reverse("dashboard", args=[over.slug])).content.decode()

    def test_a_worker_that_is_not_there_is_not_found(self, world, browser):
        assert browser(world.ta).post(reverse("worker-drain", args=[world.offering.slug, 99])).status_code == 404
