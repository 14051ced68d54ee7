"""Celery as it is set: a real worker process at a real Redis, whose messages are late to be acknowledged and easy to lose."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from config.celery import app
from grading.models import GradeReport, GradingJob
from grading.sweep import sweep
from tests.factories import person, submit

ROOT = Path(__file__).resolve().parents[3]
SLOW = "import time\n\ndef add(a, b):\n    time.sleep(1)\n    return a + b\n\nscale = add\n"
LEASE_S = 4

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(live_redis, redis_socket, tmp_path, settings) -> Iterator[subprocess.Popen[bytes]]:
    """One worker with one slot, in the tests' database, with a short lease."""
    data = tmp_path / "worker"
    data.mkdir()
    (data / "db.sqlite3").symlink_to(connection.settings_dict["NAME"])
    (data / "labs").symlink_to(settings.LABS_DIR)
    (data / "files").symlink_to(settings.FILES_DIR)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "GRADLAB_DEMO": "1",
        "GRADLAB_DATA_DIR": str(data),
        "GRADLAB_REDIS_URL": f"unix://{redis_socket}",
        "GRADLAB_SANDBOX": "trusted",
        "GRADLAB_GRADING_LEASE_S": str(LEASE_S),
    }
    command = ["celery", "--app", "config.celery:app", "worker", "--concurrency=1", "--queues=interactive,grading"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    yield process
    for pid in (*pool_of(process), process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait(timeout=10)


def pool_of(worker: subprocess.Popen[bytes]) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(worker.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


def test_messages_wait_in_the_queue_and_are_acknowledged_when_the_job_has_ended(world, live_redis, worker):
    jobs = [submit(world.lab, person(world.offering), SLOW).jobs.get() for _ in range(3)]
    _wait_for(lambda: status(jobs[0]) == "running")
    assert live_redis.llen("grading") == 2, "nothing is fetched that is not worked on"
    assert live_redis.hlen("unacked") == 1, "what is worked on is not acknowledged yet"
    (message,) = live_redis.hvals("unacked")
    body, *_ = json.loads(message)
    assert body["content-type"] == "application/json"
    assert body["headers"]["argsrepr"] == f"({jobs[0].pk},)", "an id and nothing else"
    _wait_for(lambda: all(status(job) == "finished" for job in jobs), seconds=40)
    _wait_for(lambda: live_redis.hlen("unacked") == 0)
    assert live_redis.keys("celery-task-meta*") == [], "results are not kept there"
    assert {job.worker for job in GradingJob.objects.all()} == {f"{socket.gethostname()}:{pool_of(worker)[0]}"}


def test_a_killed_pool_process_loses_its_message_and_not_its_job(world, live_redis, worker, settings):
    settings.GRADING_LEASE_S, settings.GRADING_REDISPATCH_S = LEASE_S, 1
    job = submit(world.lab, world.student, SLOW).jobs.get()
    _wait_for(lambda: status(job) == "running")
    for pid in pool_of(worker):
        os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: live_redis.hlen("unacked") == 0)
    assert live_redis.llen("grading") == 0, "not sent back at once, where it would kill process after process"
    assert status(job) == "running"
    _wait_for(lambda: sweep().redriven == 1, seconds=LEASE_S + 5)
    _wait_for(lambda: status(job) == "finished", seconds=30)
    job.refresh_from_db()
    assert (job.fence, job.attempt, GradeReport.objects.count()) == (2, 2, 1)


class TestSettings:
    """What cannot be seen from outside without waiting for an hour."""

    def test_the_queue_carries_ids_as_json_and_keeps_no_results(self):
        assert app.conf.accept_content == ["json"]
        assert (app.conf.task_serializer, app.conf.result_serializer) == ("json", "json")
        assert app.conf.task_ignore_result
        assert app.conf.result_backend is None

    def test_a_message_is_acknowledged_late_and_never_sent_back_by_a_dying_worker(self):
        assert app.conf.task_acks_late
        assert app.conf.task_acks_on_failure_or_timeout
        assert not app.conf.task_reject_on_worker_lost
        assert app.conf.worker_prefetch_multiplier == 1
        assert app.conf.worker_cancel_long_running_tasks_on_connection_loss

    def test_every_limit_lies_above_the_one_below_it(self):
        longest = django_settings.GRADING_MAX_JOB_S
        hard = app.conf.task_time_limit
        visible_again = app.conf.broker_transport_options["visibility_timeout"]
        assert app.conf.task_soft_time_limit is None, "its exception would end up in the check that runs"
        assert longest < hard
        assert visible_again >= 2 * hard

    def test_every_lane_is_a_queue_and_no_task_waits_for_a_time(self):
        from grading.tasks import grade_job

        assert app.conf.task_default_queue == "grading"
        assert not app.conf.beat_schedule
        assert grade_job.acks_late


def status(job: GradingJob) -> str:
    return GradingJob.objects.get(pk=job.pk).status


def _wait_for(condition, *, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
