"""A team of two, Ada Lindqvist and Kofi Mensah, and a proposal that is due in a week."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from assignments.models import Assignment
from projects.deliverables.services import Work, hand_in
from projects.models import Team
from submissions.models import Submission
from submissions.services import IncomingFile
from tests.factories import deliverable, team

PDF = b"%PDF-1.7\n%%EOF\n"


@dataclass(frozen=True)
class Crew:
    """The team and what it has to hand in."""

    team: Team
    proposal: Assignment


@pytest.fixture
def crew(world) -> Crew:
    return Crew(team(world.offering, world.student, world.classmate, name="Kestrel"), deliverable(world.offering))


def handed_in(assignment, student, *, data: bytes = PDF, **options) -> Submission:
    """Through the front door, with a PDF alone."""
    token = options.pop("client_token", None)
    work = Work(IncomingFile("report.pdf", data), **options)
    return hand_in(assignment=assignment, enrollment=student, work=work, client_token=token)
