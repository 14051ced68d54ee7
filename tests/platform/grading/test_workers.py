"""A worker's row, from before its walls are tried to its end, and the steward that keeps it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from celery.contrib.testing.worker import start_worker
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from config import clock
from config.celery import app
from grading import canary, drains, workers
from grading.models import CanaryRun, GradingJob, Worker
from grading.steward import Steward
from tests.factories import WorkerFactory, submit

pytestmark = pytest.mark.django_db


def register(**options) -> Worker:
    return workers.register(**{"concurrency": 2, "queues": "interactive,grading", "sandbox": "bubblewrap"} | options)


@pytest.fixture
def ended_pid() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


class TestTheRow:
    def test_it_says_what_the_process_is(self):
        worker = register(concurrency=3, queues="gpu")
        assert (worker.pid, worker.concurrency, worker.lanes) == (os.getpid(), 3, {"gpu"})
        assert len(worker.grader_version) == 16
        assert worker.tested_at is None
        assert not worker.is_present(clock.now())
        workers.record_selftest(worker, sandbox="bubblewrap", open_walls="")
        assert worker.is_present(clock.now())

    def test_open_walls_end_it(self):
        worker = register()
        workers.record_selftest(worker, sandbox="bubblewrap", open_walls="network: reached")
        assert worker.stopped_at is not None
        assert worker.open_walls == "network: reached"

    def test_a_worker_that_refuses_again_and_again_has_one_row(self):
        for _ in range(3):
            workers.record_selftest(register(), sandbox="docker", open_walls="network: reached")
        assert Worker.objects.count() == 1

    def test_a_killed_process_of_this_host_is_closed_and_its_name_free_again(self, ended_pid):
        first = register()
        Worker.objects.filter(pk=first.pk).update(pid=ended_pid)
        second = register()
        first.refresh_from_db()
        assert first.stopped_at is not None
        assert second.node == first.node
        assert second.name != first.name

    def test_two_workers_of_one_host_answer_to_two_names(self):
        first = register()
        Worker.objects.filter(pk=first.pk).update(pid=os.getppid())
        assert register().node != first.node

    def test_a_beat_is_kept_until_the_end(self, at):
        worker, now = register(), clock.now()
        at(now + timedelta(seconds=20))
        assert workers.beat(worker)
        worker.refresh_from_db()
        assert worker.seen_at == now + timedelta(seconds=20)
        workers.retire(worker)
        assert not workers.beat(worker)

    def test_old_rows_go_but_for_those_that_jobs_speak_of(self, world):
        gone, kept = (WorkerFactory(stopped_at=clock.now() - timedelta(days=8), open_walls="") for _ in range(2))
        run = CanaryRun.objects.create(worker=kept, lab=world.lab.lab, seed=1, started_at=kept.started_at, problem="x")
        submit(world.lab, world.student).jobs.update(canary=run)
        register()
        assert not Worker.objects.filter(pk=gone.pk).exists()
        assert Worker.objects.filter(pk=kept.pk).exists()

    def test_jobs_carry_the_name_of_the_worker(self, monkeypatch):
        assert workers.own_name().endswith(f":{os.getpid()}")
        monkeypatch.setattr(workers, "_own", [])
        worker = WorkerFactory()
        workers.become(worker)
        assert (workers.own_name(), workers.own_worker()) == (worker.name, worker)


def test_a_worker_behind_open_walls_leaves_a_row_that_says_which(settings, monkeypatch):
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    settings.SANDBOX = "trusted"
    with pytest.raises(CommandError, match="no job is taken"):
        call_command("worker", "--queues", "grading")
    worker = Worker.objects.get()
    assert "has no walls" in worker.open_walls
    assert worker.tested_at is not None
    assert worker.stopped_at is not None
    settings.SANDBOX = "docker"
    monkeypatch.setenv("GRADLAB_RUNNER_IMAGE", "gradlab-runner:never-built")
    with pytest.raises(CommandError, match="cannot be built"):
        call_command("worker", "--queues", "grading")
    assert "cannot be built" in Worker.objects.get().open_walls


class TestSteward:
    @pytest.fixture
    def worker(self, world) -> Worker:  # noqa: ARG002 - a world has a lab that wants canaries
        return WorkerFactory()

    @pytest.fixture
    def steward(self, worker, monkeypatch) -> Steward:
        """A steward whose worker does not answer, so that only its messages are looked at."""
        steward = Steward(worker)
        monkeypatch.setattr(steward, "_consuming", True)
        return steward

    def test_it_beats_and_asks_for_each_canary_once(self, worker, steward, live_redis, at):
        start = clock.now()
        for seconds in (0, 5, 10):
            at(start + timedelta(seconds=seconds))
            steward.tend()
        worker.refresh_from_db()
        assert worker.seen_at == start + timedelta(seconds=10)
        assert live_redis.llen(worker.canary_queue) == 1
        assert live_redis.llen("grading") == 0

    def test_it_asks_again_when_the_message_has_expired(self, worker, steward, live_redis, at):
        start = clock.now()
        at(start)
        steward.tend()
        at(start + timedelta(minutes=10))
        steward.tend()
        assert live_redis.llen(worker.canary_queue) == 2

    def test_it_asks_again_when_the_last_one_ran(self, world, worker, steward, live_redis, at):
        start = clock.now()
        at(start)
        steward.tend()
        at(start + timedelta(seconds=1))
        canary.run_canary(worker=worker, lab=world.lab.lab)
        at(start + timedelta(minutes=9))
        steward.tend()
        assert live_redis.llen(worker.canary_queue) == 1
        at(start + timedelta(minutes=10, seconds=1))
        steward.tend()
        assert live_redis.llen(worker.canary_queue) == 2

    def test_it_goes_on_while_database_or_broker_are_away(self, steward, monkeypatch):
        monkeypatch.setattr(app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")
        steward._tend_once()

        def away(_worker):
            raise DatabaseError("away")

        monkeypatch.setattr(workers, "beat", away)
        steward._tend_once()

    def test_it_ends_with_its_worker_and_leaves_nothing_in_redis(self, worker, steward, live_redis):
        steward.tend()
        assert live_redis.exists(worker.canary_queue)
        steward.tend_while(parent=-1)  # no process's parent
        worker.refresh_from_db()
        assert worker.stopped_at is not None
        assert not live_redis.keys(f"*{worker.canary_queue}*")


@pytest.mark.django_db(transaction=True)
class TestWithCelery:
    """A real Celery worker, in a thread of this process, on a real Redis."""

    @pytest.fixture
    def worker(self, world, live_redis, monkeypatch):  # noqa: ARG002 - they stand behind it
        worker = WorkerFactory()
        monkeypatch.setattr(workers, "_own", [worker.name])
        return worker

    @pytest.fixture
    def celery(self, worker):
        app.select_queues([*worker.lanes, worker.canary_queue])
        with start_worker(app, pool="solo", hostname=worker.node, perform_ping_check=False, shutdown_timeout=30) as it:
            yield it
        app.amqp.queues._consume_from = None

    @pytest.mark.usefixtures("celery")
    def test_the_canary_runs_in_the_worker_and_a_drain_stops_its_queues(self, world, worker, live_redis):
        steward = Steward(worker)
        steward.tend()
        wait_for(lambda: CanaryRun.objects.good().exists())
        drains.drain(worker=worker, by=world.ta.user, offering=world.offering)
        steward.tend()
        job = submit(world.lab, world.student).jobs.get()
        threading.Event().wait(1.0)
        assert live_redis.llen("grading") == 1, "the message waits for a worker in service"
        drains.resume(worker=worker, by=world.ta.user, offering=world.offering)
        steward.tend()
        wait_for(lambda: GradingJob.objects.get(pk=job.pk).status == "finished")
        assert GradingJob.objects.get(pk=job.pk).worker == worker.name


def wait_for(condition, seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen in time")
