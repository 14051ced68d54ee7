"""Queues and times: held against numbers worked out by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from grading.figures import LaneFigures, Spread, Times, lane_figures, percentile
from grading.models import GradingJob
from tests.factories import practice, submit


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([], 0.5, None),
        ([7.0], 0.5, 7.0),
        ([7.0], 0.95, 7.0),
        ([9.0, 1.0], 0.5, 1.0),
        ([9.0, 1.0], 0.95, 9.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 0.5, 2.0),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 22)), 0.95, 20),
        (list(range(1, 101)), 0.95, 95),
        ([5.0, 5.0, 5.0], 0.95, 5.0),
    ],
)
def test_a_percentile_is_a_value_that_occurred(values, share, wanted):
    assert percentile(values, share) == wanted


def job_of(world, *, asked: timedelta, waited: float | None = None, ran: float | None = None, interactive=False):
    """A job asked for so long ago, that waited and ran for so many seconds."""
    job = practice(world.lab, world.student) if interactive else submit(world.lab, world.student).jobs.get()
    requested = clock.now() - asked
    started = requested + timedelta(seconds=waited) if waited is not None else None
    finished = started + timedelta(seconds=ran) if started and ran is not None else None
    GradingJob.objects.filter(pk=job.pk).update(
        requested_at=requested, started_at=started, finished_at=finished, cancelled_at=None
    )
    return job


@pytest.fixture
def stands(at, settings):
    """A clock that stands, so that ages are exact."""
    settings.GRADING_MAX_WAITING = 100
    at(clock.now())


@pytest.mark.django_db
@pytest.mark.usefixtures("stands")
class TestLanes:
    def test_nothing_is_shown_as_nothing(self):
        grading = lane_of("grading")
        assert grading == LaneFigures("grading", "Submissions", hour=Times(), day=Times())
        assert grading.hour.wait == Spread(0, None, None)

    def test_depth_and_age_are_those_of_the_lane(self, world):
        job_of(world, asked=timedelta(seconds=90))
        job_of(world, asked=timedelta(seconds=240))
        job_of(world, asked=timedelta(seconds=500), waited=490)
        job_of(world, asked=timedelta(seconds=30), interactive=True)
        grading, interactive = lane_of("grading"), lane_of("interactive")
        assert (grading.waiting, grading.oldest_s, grading.running) == (2, 240.0, 1)
        assert (interactive.waiting, interactive.oldest_s, interactive.running) == (1, 30.0, 0)

    def test_jobs_that_ended_wait_no_more(self, world):
        job = job_of(world, asked=timedelta(seconds=90))
        GradingJob.objects.filter(pk=job.pk).update(cancelled_at=clock.now())
        assert (lane_of("grading").waiting, lane_of("grading").oldest_s) == (0, None)

    def test_times_of_the_hour_and_of_the_day(self, world):
        for waited, ran in ((2, 10), (4, 30), (60, 20)):
            job_of(world, asked=timedelta(minutes=20), waited=waited, ran=ran)
        job_of(world, asked=timedelta(hours=5), waited=600, ran=100)
        job_of(world, asked=timedelta(hours=30), waited=9000, ran=9000)
        grading = lane_of("grading")
        assert grading.hour == Times(wait=Spread(3, 4.0, 60.0), run=Spread(3, 20.0, 30.0))
        assert grading.day == Times(wait=Spread(4, 4.0, 600.0), run=Spread(4, 20.0, 100.0))
        assert lane_of("interactive").day == Times()

    def test_a_job_that_still_runs_has_waited_and_not_yet_run(self, world):
        job_of(world, asked=timedelta(minutes=3), waited=12)
        assert lane_of("grading").hour == Times(wait=Spread(1, 12.0, 12.0), run=Spread())

    def test_what_began_before_the_hour_and_ended_within_it_counts_as_a_run_alone(self, world):
        job_of(world, asked=timedelta(minutes=70), waited=60, ran=3000)
        assert lane_of("grading").hour == Times(wait=Spread(), run=Spread(1, 3000.0, 3000.0))

    def test_the_figures_cost_the_same_however_many_jobs(self, world, django_assert_num_queries):
        for _ in range(3):
            job_of(world, asked=timedelta(minutes=3), waited=12, ran=1)
        with django_assert_num_queries(2):
            lane_figures()


def lane_of(name: str) -> LaneFigures:
    return next(lane for lane in lane_figures() if lane.lane == name)
