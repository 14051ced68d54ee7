"""Live progress: what students see of hidden checks, the stream of events, and a Redis that comes and goes."""

from __future__ import annotations

import asyncio
import re

import pytest
from asgiref.sync import sync_to_async
from django.urls import reverse

from grader.contract import CheckFinished, CheckInfo, CheckResult, CheckStarted, JobStarted, Verdict
from grading import claims, progress
from grading.models import GradingJob
from grading.progress import ProgressTracker, snapshot
from grading.runner import run_job
from grading.services import cancel, regrade
from grading.stream import events
from tests.factories import reported, submit

INFOS = (CheckInfo("a", "1", "adds", 4.0, hidden=False), CheckInfo("h", "1", "hidden one", 2.0, hidden=True))
SECRET = CheckResult("h", "1", "hidden one", Verdict.PASSED, 2.0, 2.0, "SECRET", hidden=True)


@pytest.fixture
def job(world) -> GradingJob:
    return submit(world.lab, world.student).jobs.get()


@pytest.mark.django_db
class TestSnapshots:
    def test_a_waiting_job_says_how_many_are_ahead(self, world, job):
        later = submit(world.lab, world.classmate).jobs.get()
        assert (snapshot(job).ahead, snapshot(later).ahead) == (0, 1)

    @pytest.mark.usefixtures("job")
    def test_a_practice_run_does_not_wait_behind_submissions(self, world):
        from tests.factories import practice

        assert snapshot(practice(world.lab, world.classmate)).ahead == 0

    def test_a_finished_job_is_read_from_the_database(self, world):
        finished = reported(submit(world.lab, world.student)).jobs.select_related("stored_report").get()
        found = snapshot(finished)
        assert (found.finished, found.score, found.done, found.total) == (True, 10.0, 2, 2)
        assert [check.state for check in found.for_student().checks] == ["passed", "hidden"]

    @pytest.mark.usefixtures("live_redis")
    def test_events_become_marks(self, job):
        running = _claimed(job)
        tracker = ProgressTracker(running)
        tracker.start()
        tracker.on_event(JobStarted(INFOS))
        assert [check.state for check in snapshot(running).checks] == ["waiting", "waiting"]
        tracker.on_event(CheckStarted("h"))
        assert snapshot(running).checks[1].state == "running"
        tracker.on_event(CheckFinished(SECRET))
        found = snapshot(running)
        assert (found.checks[1].state, found.score, found.done) == ("passed", 2.0, 1)

    @pytest.mark.usefixtures("live_redis")
    def test_a_student_learns_of_a_hidden_check_that_it_ran_and_no_more(self, job):
        running = _claimed(job)
        tracker = ProgressTracker(running)
        tracker.on_event(JobStarted(INFOS))
        tracker.on_event(CheckFinished(SECRET))
        found = snapshot(running).for_student()
        assert (found.checks[1].state, found.checks[1].score, found.checks[1].done) == ("hidden", 0.0, True)
        assert found.score == 0.0

    @pytest.mark.usefixtures("live_redis")
    def test_an_event_of_an_unknown_check_is_let_pass(self, job):
        tracker = ProgressTracker(_claimed(job))
        tracker.on_event(CheckStarted("unknown"))

    @pytest.mark.usefixtures("live_redis")
    def test_what_an_earlier_worker_published_is_not_believed(self, job):
        first = _claimed(job)
        ProgressTracker(first).on_event(JobStarted(INFOS))
        GradingJob.objects.update(fence=2)
        assert snapshot(GradingJob.objects.get()).checks == ()

    def test_without_redis_nothing_breaks(self, job, settings, tmp_path):
        settings.REDIS_URL = f"unix://{tmp_path / 'nothing.sock'}"
        running = _claimed(job)
        ProgressTracker(running).on_event(JobStarted(INFOS))
        assert snapshot(running).status == "running"

    def test_the_page_part_works_for_staff_and_student(self, world, job, browser):
        for who in (world.student, world.ta):
            response = browser(who).get(reverse("job-progress", args=[job.pk]))
            assert response.status_code == 200
            assert b"<html" not in response.content


@pytest.mark.django_db
class TestWhoStops:
    """A run that staff asked for may lower a score, so its student has no say in it."""

    @pytest.fixture
    def again(self, world):
        return regrade(submission=reported(submit(world.lab, world.student)), by=world.ta.user)

    def test_a_student_cannot_stop_what_staff_run_again(self, world, again, browser):
        client, address = browser(world.student), reverse("job-cancel", args=[again.pk])
        answer = client.post(address, follow=True).content.decode()
        again.refresh_from_db()
        assert again.is_active
        assert "only they can stop it" in answer
        assert address not in answer
        assert address not in client.get(reverse("job-progress", args=[again.pk])).content.decode()

    @pytest.mark.usefixtures("live_redis")
    def test_nor_while_it_runs(self, again):
        running = _claimed(again)
        ProgressTracker(running).start()
        assert (snapshot(running).stoppable, snapshot(running).for_student().stoppable) == (True, False)

    def test_staff_can_and_a_student_their_own(self, world, again, job, browser):
        for who, what in ((world.ta, again), (world.student, job)):
            client, address = browser(who), reverse("job-cancel", args=[what.pk])
            assert address in client.get(reverse("job-progress", args=[what.pk])).content.decode()
            client.post(address)
            what.refresh_from_db()
            assert what.status == "cancelled"


@pytest.mark.django_db(transaction=True)
class TestStream:
    @pytest.mark.usefixtures("live_redis")
    def test_a_stream_starts_with_a_snapshot_and_ends_when_the_job_does(self, job):
        def act() -> None:
            run_job(job.pk)

        got = asyncio.run(_watch(job, act))
        assert got[0].startswith("event: progress\n")
        assert got[-1] == "event: done\ndata: \n\n"
        assert any('data-status="finished"' in part or "data-finished" in part for part in got)

    def test_without_redis_the_database_tells(self, job, monkeypatch):
        monkeypatch.setattr("grading.stream.POLL_S", 0.05)
        got = asyncio.run(_watch(job, lambda: run_job(job.pk)))
        assert got[-1].startswith("event: done")
        assert len(got) >= 3

    @pytest.mark.usefixtures("live_redis")
    def test_a_lost_message_only_delays_the_page(self, job):
        def act() -> None:
            claims.claim(job_id=job.pk, worker="test")
            GradingJob.objects.update(cancelled_at="2026-02-18T00:00:00Z")  # and nobody published it

        got = asyncio.run(_watch(job, act, heartbeat_s=0.1))
        assert got[-1].startswith("event: done")
        assert ": still here\n\n" in got

    @pytest.mark.usefixtures("live_redis")
    def test_a_job_that_ended_closes_its_stream_at_once(self, world):
        job = reported(submit(world.lab, world.student)).jobs.select_related("stored_report").get()
        got = asyncio.run(_watch(job, lambda: None))
        assert [part.splitlines()[0] for part in got] == ["event: progress", "event: done"]

    @pytest.mark.usefixtures("live_redis")
    def test_a_run_that_failed_by_our_fault_is_seen_to_wait_again(self, world, job):
        def act() -> None:
            held = claims.claim(job_id=job.pk, worker="test")
            tracker = ProgressTracker(GradingJob.objects.get(pk=job.pk))
            tracker.start()
            tracker.on_event(JobStarted(INFOS))
            claims.record_fault(held, error="no free cgroup")
            second = _claimed(job)
            ProgressTracker(second).start()
            cancel(job=second, by=world.student.user)

        got = asyncio.run(_watch(job, act))
        told = [re.search(r'data-status="([^"]+)"', part)[1] for part in got if "data-status" in part]
        between = told[told.index("running") : len(told) - told[::-1].index("running")]
        assert set(between) & {"requested", "queued"}
        assert told[-1] == "cancelled"

    @pytest.mark.usefixtures("live_redis")
    def test_stopping_is_announced(self, world, job):
        got = asyncio.run(_watch(job, lambda: cancel(job=job, by=world.student.user)))
        assert "Stopped" in "".join(got) or "stopped" in "".join(got)
        assert got[-1].startswith("event: done")

    @pytest.mark.usefixtures("live_redis")
    def test_the_view_streams_to_a_browser(self, world, async_client):
        job = reported(submit(world.lab, world.student)).jobs.get()

        async def read() -> tuple[dict[str, str], str]:
            await sync_to_async(async_client.force_login)(world.student.user)
            response = await async_client.get(reverse("job-events", args=[job.pk]))
            return dict(response.headers), "".join([part.decode() async for part in response.streaming_content])

        headers, body = asyncio.run(read())
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["X-Accel-Buffering"] == "no"
        assert body.startswith("event: progress\n")
        assert "SECRET" not in body


def _claimed(job: GradingJob) -> GradingJob:
    claims.claim(job_id=job.pk, worker="test")
    return GradingJob.objects.select_related("stored_report").get(pk=job.pk)


async def _watch(job: GradingJob, act, heartbeat_s: float = 1.0) -> list[str]:
    """Everything that one stream says while `act` happens."""
    first = await sync_to_async(snapshot)(job)
    got: list[str] = []

    async def read() -> None:
        async for part in events(first, result_url="/", for_student=True, heartbeat_s=heartbeat_s):
            got.append(part.decode())  # noqa: PERF401 - what came counts, also when the time runs out

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    await sync_to_async(act)()
    await asyncio.wait_for(reading, timeout=15)
    return got


def test_the_channel_is_named_after_the_job():
    assert progress.channel(7) == "progress:7"
