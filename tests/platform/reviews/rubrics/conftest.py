"""A deliverable with a rubric of two items: nothing about rubrics is for readings alone."""

from __future__ import annotations

import pytest

from assignments.models import Assignment, Kind
from reviews.models import Rubric
from reviews.rubrics.services import save_rubric
from reviews.rubrics.spec import RubricSpec, spec_of
from tests.factories import AssignmentFactory
from tests.platform.reviews.rubrics.specs import give_rubric, item


@pytest.fixture
def proposal(world) -> Assignment:
    assignment = AssignmentFactory(
        offering=world.offering, kind=Kind.DELIVERABLE, lab=None, slug="proposal", number=1, title="Proposal"
    )
    give_rubric(assignment, item("idea"), item("plan", 4, k4=4, k2=2, k0=0))
    assignment.refresh_from_db()
    return assignment


@pytest.fixture
def stored(proposal):
    """The rubric of the proposal as it is now."""

    def read() -> RubricSpec:
        return spec_of(Rubric.objects.get(assignment=proposal))

    return read


@pytest.fixture
def saved(proposal, world):
    """Save a rubric of the proposal over the stored revision."""

    def save(spec: RubricSpec, *, reapply: bool = False, **options):
        revision = Rubric.objects.get(assignment=proposal).revision
        options.setdefault("reason", "the levels were too coarse")
        return save_rubric(
            assignment=proposal, spec=spec, revision=revision, by=world.instructor.user, reapply=reapply, **options
        )

    return save
