"""The place in line: what is told to be ahead does run before, and a wait is told only where recent runs say one."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from django.urls import reverse

from config import clock
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import claims, drains, services, workers
from grading.line import Wait, place_of
from grading.models import GradingJob, Lane
from grading.progress import ProgressSnapshot, snapshot
from grading.selectors import live_workers
from tests.factories import WorkerFactory, person, practice, reported, submit
from web.templatetags.ui import wait_in_words

pytestmark = pytest.mark.django_db
REPORT = Report(Outcome.GRADED, 7.5, 10.0, seed=1)


def waiting(world, student) -> GradingJob:
    return submit(world.lab, student).jobs.get()


def ran(world, at, *seconds: float, worker: str = "one", lane: str = Lane.GRADING) -> None:
    """Runs that took so long, the last of them ended just now."""
    for span in seconds:
        job = practice(world.lab, person(world.offering)) if lane == Lane.INTERACTIVE else None
        job = job or waiting(world, person(world.offering))
        held = claims.claim(job_id=job.pk, worker=worker)
        at(clock.now() + timedelta(seconds=span))
        assert claims.record_report(held, REPORT)


def busy(world, worker: str) -> None:
    assert claims.claim(job_id=waiting(world, person(world.offering)).pk, worker=worker)


def test_what_is_told_to_be_ahead_runs_before(world, settings):
    settings.GRADING_MAX_WAITING = 10
    random = Random(7)
    students = [person(world.offering) for _ in range(4)]
    jobs = [waiting(world, random.choice(students)) for _ in range(14)]
    again = services.regrade(submission=reported(submit(world.lab, world.classmate)), by=world.ta.user)
    told = {job.pk: place_of(job).ahead for job in (*jobs, again)}
    order = []
    while (held := claims.claim_next(lane=Lane.GRADING, worker="one")) is not None:
        claims.record_report(held, REPORT)
        order.append(held.job_id)
    assert told == {pk: at for at, pk in enumerate(order)}
    assert order[-1] == again.pk


def test_practice_runs_are_not_behind_submissions(world):
    waiting(world, world.student)
    assert place_of(practice(world.lab, world.classmate)).ahead == 0


def test_a_run_that_lost_its_worker_is_ahead_again(world, at):
    busy(world, "gone")
    job = waiting(world, world.student)
    assert place_of(job).ahead == 0
    at(clock.now() + timedelta(seconds=61))
    assert place_of(job).ahead == 1


def test_the_wait_is_recent_runs_times_those_before_over_the_slots(world, at):
    at(clock.now())
    ran(world, at, *[10.0] * 9, 40.0)
    busy(world, "one")
    busy(world, "two")
    WorkerFactory(name="one", concurrency=1)
    WorkerFactory(name="two", concurrency=1)
    jobs = [waiting(world, student) for student in (world.student, world.classmate, person(world.offering))]
    # two run now, on two slots; of the third that waits, two are ahead
    place = place_of(jobs[2])
    assert place.ahead == 2
    assert place.wait == Wait(likely_s=20.0, at_most_s=pytest.approx(13.0 * 2))


def test_with_few_runs_or_no_worker_nothing_is_guessed(world, at):
    at(clock.now())
    ran(world, at, 10.0, 10.0, 10.0, 10.0)
    WorkerFactory(name="one")
    job = waiting(world, world.student)
    assert place_of(job).wait is None, "four runs say nothing"
    ran(world, at, 10.0)
    assert place_of(job).wait is not None
    at(clock.now() + timedelta(seconds=61))
    assert place_of(job).wait is None, "nobody works on it"


def test_only_the_latest_fifty_runs_speak_and_only_of_their_lane(world, at, settings):
    settings.PRACTICE_RUNS_KEPT = 100
    at(clock.now())
    ran(world, at, *[500.0] * 10)
    ran(world, at, *[2.0] * 50)
    ran(world, at, *[0.5] * 5, lane=Lane.INTERACTIVE)
    busy(world, "one")
    WorkerFactory(name="one", concurrency=1)
    assert place_of(waiting(world, world.student)).wait == Wait(2.0, 2.0)


def test_the_workers_that_count_are_those_that_may_take_a_job_now(world, at):
    one, two = WorkerFactory(name="one", concurrency=1), WorkerFactory(name="two", queues="grading,gpu")
    WorkerFactory(name="untested", tested_at=None)
    assert live_workers(Lane.GRADING) == {"one": 1, "two": 2}
    assert live_workers(Lane.GPU) == {"two": 2}
    drains.drain(worker=two, by=world.ta.user, offering=world.offering)
    assert live_workers(Lane.GRADING) == {"one": 1}
    at(clock.now() + timedelta(minutes=5))
    assert live_workers(Lane.GRADING) == {}, "it has not been heard of"
    workers.beat(one)
    assert live_workers(Lane.GRADING) == {"one": 1}


@pytest.mark.parametrize(
    ("likely", "at_most", "words"),
    [
        (3, 4, "starts in about 5 s"),
        (18, 44, "starts in about 20 to 45 s"),
        (40, 130, "starts in about 1 to 3 min"),
        (600, 1500, "starts in about 10 to 25 min"),
    ],
)
def test_a_wait_is_told_in_round_numbers(likely, at_most, words):
    told = ProgressSnapshot(job_id=1, status="queued", label="Waiting", likely_s=likely, at_most_s=at_most)
    assert wait_in_words(told) == words


def test_the_student_reads_place_and_wait(world, at, browser):
    at(clock.now())
    ran(world, at, *[30.0] * 6)
    WorkerFactory(name="one", concurrency=1)
    busy(world, "one")
    waiting(world, world.classmate)
    mine = waiting(world, world.student)
    body = browser(world.student).get(reverse("submission", args=[mine.submission_id])).content.decode()
    assert "1 ahead of you" in body
    assert "starts in about 60 s" in body
    assert snapshot(mine).ahead == 1
