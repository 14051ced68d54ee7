"""A team that handed a report in, and its format check as the front door asks for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from projects.deliverables.models import Deliverable, Stage, Style
from projects.format.models import FormatCheck
from projects.format.services import request_check
from submissions.models import Submission
from tests.factories import deliverable, team, team_work
from tests.papers import paper


@pytest.fixture
def final(world):
    """The final report: NeurIPS 2020, six to eight content pages."""
    made = deliverable(world.offering, Stage.FINAL)
    Deliverable.objects.filter(assignment=made).update(style=Style.NEURIPS_2020, pages_from=6, pages_to=8)
    return made


@pytest.fixture
def crew(world):
    """Ada and Kofi."""
    return team(world.offering, world.student, world.classmate)


@pytest.fixture
def hand_in(final, crew) -> Callable[..., FormatCheck]:
    """`hand_in(data)`: what the front door does with a PDF."""

    def put(data: bytes | None = None) -> FormatCheck:
        submission = team_work(final, crew, data=paper() if data is None else data)
        return request_check(file=submission.files.get())

    return put


def submission_of(check: FormatCheck) -> Submission:
    """What the checked file belongs to."""
    assert check.file.submission is not None
    return check.file.submission
