"""A drained worker finishes what it runs and claims nothing more, with Redis and without."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.models import AuditEvent
from config import clock
from config.celery import app
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import claims, drains, workers
from grading.models import Drain, GradeReport, GradingJob
from grading.runner import run_job
from grading.sweep import sweep
from tests.factories import WorkerFactory, person, submit
from tests.platform.conftest import forget_connections

REPORT = Report(Outcome.GRADED, 7.5, 10.0, seed=1)


@pytest.fixture
def job(world) -> GradingJob:
    return submit(world.lab, world.student).jobs.get()


@pytest.fixture
def one(world):
    return WorkerFactory()


@pytest.fixture
def two(world):
    return WorkerFactory()


def drain(world, worker):
    return drains.drain(worker=worker, by=world.ta.user, offering=world.offering)


def resume(world, worker):
    return drains.resume(worker=worker, by=world.ta.user, offering=world.offering)


@pytest.mark.django_db
class TestTheClaim:
    def test_a_drained_worker_claims_nothing_and_another_one_does(self, world, job, one, two):
        assert drain(world, one)
        assert claims.claim(job_id=job.pk, worker=one.name) is None
        job.refresh_from_db()
        assert (job.status, job.attempt, job.fence) == ("requested", 0, 0)
        assert claims.claim(job_id=job.pk, worker=two.name)

    def test_a_drained_worker_looks_at_the_line_once_however_long_it_is(
        self, world, job, one, django_assert_max_num_queries
    ):
        for enrollment in (world.classmate, *(person(world.offering) for _ in range(8))):
            submit(world.lab, enrollment)
        drain(world, one)
        with django_assert_max_num_queries(3):
            assert claims.claim_next(lane=job.lane, worker=one.name) is None

    def test_a_resumed_worker_claims_again(self, world, job, one):
        drain(world, one)
        assert resume(world, one)
        assert claims.claim(job_id=job.pk, worker=one.name)

    def test_all_are_drained_also_those_that_come_later(self, world, job, one):
        assert drain(world, None)
        later = WorkerFactory()
        for name in (one.name, later.name, "a process without a row"):
            assert claims.claim(job_id=job.pk, worker=name) is None
        assert resume(world, None)
        assert claims.claim(job_id=job.pk, worker=later.name)

    def test_resuming_all_leaves_those_drained_that_were_drained_by_themselves(self, world, job, one):
        drain(world, one)
        drain(world, None)
        resume(world, None)
        assert claims.claim(job_id=job.pk, worker=one.name) is None

    def test_a_drained_worker_finishes_what_it_runs(self, world, job, one):
        held = claims.claim(job_id=job.pk, worker=one.name)
        drain(world, one)
        assert claims.heartbeat(held)
        assert claims.record_report(held, REPORT)
        assert GradeReport.objects.get().job == job

    def test_a_lost_job_of_another_is_not_taken_either(self, world, job, one, two, at):
        claims.claim(job_id=job.pk, worker=two.name)
        drain(world, one)
        at(clock.now() + timedelta(seconds=90))
        assert claims.claim(job_id=job.pk, worker=one.name) is None


@pytest.mark.django_db
class TestTheRecord:
    def test_a_second_drain_changes_nothing(self, world, one):
        for worker in (one, None):
            assert drain(world, worker)
            assert not drain(world, worker)
        assert Drain.objects.open().count() == 2

    def test_resuming_what_runs_changes_nothing(self, world, one):
        assert not resume(world, one)
        assert not resume(world, None)

    def test_the_trail_names_who_it_was(self, world, one):
        drain(world, one)
        resume(world, one)
        told = list(AuditEvent.objects.order_by("pk").values_list("actor_name", "action", "after"))
        assert told == [(str(world.ta.user), "drained", str(one)), (str(world.ta.user), "resumed", str(one))]
        held = Drain.objects.get()
        assert (held.opened_by, held.ended_by) == (world.ta.user, world.ta.user)


@pytest.mark.django_db(transaction=True)
class TestTheMessage:
    @pytest.fixture
    def as_one(self, one, monkeypatch):
        monkeypatch.setattr(workers, "_own", [one.name])

    @pytest.mark.usefixtures("as_one")
    def test_a_message_that_a_drained_worker_got_is_sent_again_at_the_next_sweep(self, world, one, live_redis):
        job = submit(world.lab, world.student).jobs.get()
        drain(world, one)
        live_redis.delete("grading")  # the drained worker took the message …
        run_job(job.pk)
        assert not GradeReport.objects.exists()
        assert sweep().redriven == 1  # … and nobody waits a minute for it
        assert live_redis.llen("grading") == 1

    @pytest.fixture
    def no_redis(self, live_redis, settings, monkeypatch, tmp_path):  # noqa: ARG002 - which forgets the connections
        settings.REDIS_URL = f"unix://{tmp_path / 'nothing.sock'}"
        monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{tmp_path / 'nothing.sock'}")
        forget_connections()

    @pytest.mark.usefixtures("as_one", "no_redis")
    def test_it_holds_while_redis_is_away(self, world, one):
        job = submit(world.lab, world.student).jobs.get()
        drain(world, one)
        run_job(job.pk)
        assert not GradeReport.objects.exists()
        resume(world, one)
        run_job(job.pk)
        assert GradeReport.objects.get().job.worker == one.name

    @pytest.mark.usefixtures("live_redis")
    def test_a_worker_in_service_that_found_nothing_leaves_the_message_alone(self, world):
        job = submit(world.lab, world.student).jobs.get()
        claims.claim(job_id=job.pk, worker="another")
        run_job(job.pk)
        job.refresh_from_db()
        assert job.queued_at is not None
