"""The metrics: read back with Prometheus' own parser and held against the rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from config import clock
from grading import claims, drains
from grading.models import CanaryRun, GradingJob
from tests.factories import WorkerFactory, practice, reported, submit
from tests.platform.grading.canaries import fail_for_good

TOKEN = "a-token-that-only-prometheus-has"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _token(settings, at):
    settings.METRICS_TOKEN = TOKEN
    at(clock.now())


def scrape(client, **headers) -> str:
    response = client.get(reverse("metrics"), headers={"Authorization": f"Bearer {TOKEN}", **headers})
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def read(client):
    """`read(name, **labels)`: the one sample of that name and labels, or None."""

    def sample(name: str, **labels: str):
        found = {
            sample.value
            for family in text_string_to_metric_families(scrape(client))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }
        assert len(found) <= 1
        return found.pop() if found else None

    return sample


def times(job, *, asked: float, started: float, finished: float) -> None:
    """So many seconds ago."""
    now = clock.now()
    GradingJob.objects.filter(pk=job.pk).update(
        requested_at=now - timedelta(seconds=asked),
        started_at=now - timedelta(seconds=started),
        finished_at=now - timedelta(seconds=finished),
    )


def test_queues_are_those_of_the_rows(world, read):
    old = submit(world.lab, world.student).jobs.get()
    GradingJob.objects.filter(pk=old.pk).update(requested_at=clock.now() - timedelta(seconds=75))
    submit(world.lab, world.classmate)
    claims.claim(job_id=practice(world.lab, world.student).pk, worker="one")
    assert read("gradlab_queue_depth", lane="grading") == 2
    assert read("gradlab_queue_oldest_seconds", lane="grading") == 75
    assert read("gradlab_jobs_running", lane="grading") == 0
    assert read("gradlab_queue_depth", lane="interactive") == 0
    assert read("gradlab_jobs_running", lane="interactive") == 1


def test_times_are_summaries_of_the_last_hour(world, read):
    for waited, ran in ((2, 30), (4, 10), (9, 20)):
        job = reported(submit(world.lab, world.student)).jobs.get()
        times(job, asked=600, started=600 - waited, finished=600 - waited - ran)
    assert read("gradlab_job_wait_seconds", lane="grading", quantile="0.5") == 4
    assert read("gradlab_job_wait_seconds", lane="grading", quantile="0.95") == 9
    assert read("gradlab_job_run_seconds", lane="grading", quantile="0.5") == 20
    assert read("gradlab_job_run_seconds", lane="interactive", quantile="0.5") is None


def test_ended_jobs_are_counted_by_how_they_ended(world, read):
    reported(submit(world.lab, world.student))
    held = claims.claim(job_id=submit(world.lab, world.student).jobs.get().pk, worker="one")
    fail_for_good(held, "no card")
    assert read("gradlab_submission_jobs_total", outcome="finished") == 1
    assert read("gradlab_submission_jobs_total", outcome="failed") == 1
    assert read("gradlab_submission_jobs_total", outcome="cancelled") == 0


def test_workers_say_whether_they_serve_and_when_they_were_heard_of(world, read):
    one, two = WorkerFactory(), WorkerFactory(concurrency=4)
    silent = WorkerFactory(seen_at=clock.now() - timedelta(minutes=5))
    drains.drain(worker=two, by=world.ta.user, offering=world.offering)
    assert read("gradlab_worker_in_service", worker=one.name) == 1
    assert read("gradlab_worker_in_service", worker=two.name) == 0
    assert read("gradlab_worker_in_service", worker=silent.name) == 0
    assert read("gradlab_worker_concurrency", worker=two.name) == 4
    assert read("gradlab_worker_last_heartbeat_timestamp_seconds", worker=one.name) == pytest.approx(
        one.seen_at.timestamp()
    )
    drains.drain(worker=None, by=world.ta.user, offering=world.offering)
    assert read("gradlab_worker_in_service", worker=one.name) == 0


def test_a_demos_own_clock_does_not_shift_the_timestamps(world, read, settings):
    worker = WorkerFactory()
    settings.CLOCK_OFFSET = timedelta(days=-280)
    seen = read("gradlab_worker_last_heartbeat_timestamp_seconds", worker=worker.name)
    assert seen == pytest.approx((worker.seen_at + timedelta(days=280)).timestamp())


def test_canaries_are_the_latest_of_each_worker_and_lab(world, read):
    worker, now = WorkerFactory(), clock.now()
    for problem, ago in (("bad", 300), ("", 200)):
        moment = now - timedelta(seconds=ago)
        CanaryRun.objects.create(
            worker=worker, lab=world.lab.lab, seed=1, started_at=moment, ended_at=moment, problem=problem
        )
    CanaryRun.objects.create(worker=worker, lab=world.lab.lab, seed=1, started_at=now)
    assert read("gradlab_canary_good", worker=worker.name, lab="tiny") == 1
    ended = read("gradlab_canary_last_end_timestamp_seconds", worker=worker.name)
    assert ended == pytest.approx((now - timedelta(seconds=200)).timestamp())
    submission = submit(world.lab, world.student)
    submission.jobs.update(canary=CanaryRun.objects.last())
    assert read("gradlab_jobs_graded_again", worker=worker.name) == 1


def test_both_formats_parse_and_every_family_explains_itself(world, client):
    WorkerFactory()
    reported(submit(world.lab, world.student))
    plain = list(text_string_to_metric_families(scrape(client)))
    modern = list(openmetrics(scrape(client, Accept="application/openmetrics-text; version=1.0.0")))
    assert {family.name for family in plain} == {family.name for family in modern}
    assert all(family.name.startswith("gradlab_") and family.documentation for family in plain)
    assert {family.name for family in plain if family.type == "summary"} == {
        "gradlab_job_wait_seconds",
        "gradlab_job_run_seconds",
    }


class TestWhoMayRead:
    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
    def test_without_the_token_there_is_no_such_page(self, client, header):
        headers = {"Authorization": header} if header else {}
        assert client.get(reverse("metrics"), headers=headers).status_code == 404

    def test_where_no_token_is_set_nobody_may(self, client, settings):
        settings.METRICS_TOKEN = ""
        for header in ("Bearer ", "Bearer"):
            assert client.get(reverse("metrics"), headers={"Authorization": header}).status_code == 404

    def test_staff_and_students_need_it_too(self, world, browser):
        for who in (world.student, world.instructor):
            assert browser(who).get(reverse("metrics")).status_code == 404
