"""A lab with a board, a worker and a sweep that one calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assignments.models import Assignment
from assignments.services import assign_lab
from courses.models import Enrollment
from grading.models import GradingJob
from grading.runner import run_job
from reviews.boards.proofs import drive_proofs
from reviews.services import sync_rubric
from submissions.models import Submission
from tests.factories import submit
from tests.platform.reviews.boards.board_lab import priced, publish_boarded


@pytest.fixture
def lab(world) -> Assignment:
    """The offering's lab with a board."""
    sync_rubric(assignment=assign_lab(assignment=world.lab, lab=publish_boarded()))
    world.lab.refresh_from_db()
    return world.lab


@pytest.fixture
def hand_in(lab) -> Callable[..., Submission]:
    """`hand_in(student, "3", spread=0.5)`: submitted and graded, by the real judge."""

    def work(student: Enrollment, cost: str, spread: float = 0) -> Submission:
        submission = submit(lab, student, priced(cost, spread))
        run_all()
        return submission

    return work


def run_all() -> None:
    """A worker that runs whatever waits."""
    while job := GradingJob.objects.waiting().first():
        run_job(job.pk)


@pytest.fixture
def prove() -> Callable[[], None]:
    """The sweep and the worker, until nothing is left to do."""

    def work() -> None:
        for _ in range(12):
            drive_proofs()
            run_all()
        drive_proofs()

    return work
