"""Redis may be emptied, restarted or away, and a worker may vanish: nothing is lost but time."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from config import clock
from config.celery import app
from grading import claims
from grading.models import GradeReport, GradingJob
from grading.runner import run_job
from grading.services import dispatch
from grading.sweep import sweep
from tests.factories import submit
from tests.platform.conftest import forget_connections

pytestmark = pytest.mark.django_db(transaction=True)


def queue_of(client) -> int:
    return client.llen("grading")


def test_handing_in_sends_one_message_with_the_id_alone(world, live_redis):
    job = submit(world.lab, world.student).jobs.get()
    assert job.status == "queued"
    assert queue_of(live_redis) == 1
    message = live_redis.lindex("grading", 0)
    assert b"work.py" not in message
    assert world.student.user.email.encode() not in message


def test_a_practice_run_has_a_queue_of_its_own(world, live_redis):
    from tests.factories import practice

    practice(world.lab, world.student)
    assert (live_redis.llen("interactive"), queue_of(live_redis)) == (1, 0)


def test_an_emptied_redis_loses_no_submission(world, live_redis, at):
    start = clock.now()
    jobs = [submit(world.lab, student).jobs.get() for student in (world.student, world.classmate)]
    live_redis.flushall()
    at(start + timedelta(seconds=59))
    assert sweep().redriven == 0
    at(start + timedelta(seconds=61))
    assert sweep().redriven == 2
    assert queue_of(live_redis) == 2
    for job in jobs:
        run_job(job.pk)
    assert GradeReport.objects.count() == 2


def test_a_broker_that_is_away_refuses_nobody_and_is_not_waited_for(world, live_redis, settings, monkeypatch, tmp_path):
    nowhere = tmp_path / "nothing.sock"
    settings.REDIS_URL = f"unix://{nowhere}"
    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{nowhere}")
    forget_connections()
    started = time.monotonic()
    job = submit(world.lab, world.student).jobs.get()
    assert time.monotonic() - started < 5
    assert job.status == "requested"
    run_job(job.pk)
    assert GradeReport.objects.count() == 1


def test_a_vanished_worker_is_replaced_after_its_lease(world, live_redis, at):
    start = clock.now()
    job = submit(world.lab, world.student).jobs.get()
    claims.claim(job_id=job.pk, worker="gone")
    live_redis.flushall()
    at(start + timedelta(seconds=59))
    assert sweep().redriven == 0
    at(start + timedelta(seconds=62))
    assert sweep().redriven == 1
    run_job(job.pk)
    assert GradeReport.objects.get().job.fence == 2


def test_a_running_job_is_left_alone(world, live_redis, at):
    start = clock.now()
    held = claims.claim(job_id=submit(world.lab, world.student).jobs.get().pk, worker="busy")
    for seconds in (50, 100, 150):
        at(start + timedelta(seconds=seconds))
        assert claims.heartbeat(held)
        assert sweep().redriven == 0


def test_a_second_sweep_does_not_send_twice(world, live_redis, at):
    start = clock.now()
    submit(world.lab, world.student)
    live_redis.flushall()
    at(start + timedelta(seconds=61))
    sweep()
    sweep()
    assert queue_of(live_redis) == 1


def test_every_dispatch_is_counted(world, live_redis):
    job = submit(world.lab, world.student).jobs.get()
    assert dispatch(job)
    assert GradingJob.objects.get().dispatch_count == 2


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_was_set_holds_no_job(world, live_redis, at, hours):
    """A waiting one's message is lost, a running one's worker too; all that is left are moments of the other clock."""
    start = clock.now()
    at(start)
    waiting, running = (submit(world.lab, student).jobs.get() for student in (world.student, world.classmate))
    claims.claim(job_id=running.pk, worker="gone")
    live_redis.flushall()
    at(start + timedelta(hours=hours))
    assert sweep().redriven == 2
    for job in (waiting, running):
        run_job(job.pk)
    assert GradeReport.objects.count() == 2


def test_clocks_of_two_hosts_may_differ_by_less_than_a_lease(world, live_redis, at):
    start = clock.now()
    at(start)
    job = submit(world.lab, world.student).jobs.get()
    claims.claim(job_id=job.pk, worker="ahead")
    at(start - timedelta(seconds=50))
    assert sweep().redriven == 0
    assert claims.claim(job_id=job.pk, worker="behind") is None


def breaks() -> None:
    """A part of the sweep that is at fault."""
    raise ValueError("a part that breaks")


def test_a_part_that_breaks_keeps_the_others_from_nothing(db, settings, monkeypatch):
    from grading.management.commands import sweeper

    done = []
    monkeypatch.setattr(sweeper, "import_string", {"breaks": breaks, "works": lambda: done.append(1)}.__getitem__)
    settings.SWEEP_ALSO = ("breaks", "works")
    sweeper._do_also()
    assert done == [1]
