"""What the pages of the access matrix are about, as each part of the product makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grading.models import GradingJob, Worker
from reviews.marking.models import Review
from reviews.regrades.models import LabRegrade, Scope
from reviews.regrades.services import start
from submissions.models import Submission
from tests.factories import ReadingFactory, WorkerFactory, finished, reported, reviewed, submit, summary
from tests.platform.conftest import World
from tests.platform.web.rows import parts


@dataclass(frozen=True)
class Things:
    """What the pages are about: two submissions of one student, the job of the second still waiting; a dry run that is over; a
    reading whose summary is reviewed; and, in `more`, what the parts' own modules made.
    """

    offering: Any
    lab: Any
    first: Submission
    second: Submission
    job: GradingJob
    item: Any
    worker: Worker
    regrade: LabRegrade
    reading: Any
    summary: Submission
    review: Review
    more: dict[str, Any]


def make_things(world: World) -> Things:
    """All of it, with what the parts' own modules add."""
    first = reported(submit(world.lab, world.student))
    second = submit(world.lab, world.student)
    regrade = start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    finished(regrade.items.get().job, 5.0, 4.0)
    job, item = second.jobs.get(), world.lab.rubric.items.first()
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    handed_in = summary(reading, world.student)
    review = reviewed(handed_in, world.ta)
    made = Things(
        world.offering, world.lab, first, second, job, item, WorkerFactory(), regrade, reading, handed_in, review, {}
    )
    for part in parts():
        if hasattr(part, "make"):
            made.more.update(part.make(world, made))
    return made
