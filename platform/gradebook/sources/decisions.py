"""What staff decided in place of a source."""

from __future__ import annotations

from courses.models import Offering
from gradebook.book.parts import Score
from gradebook.models import Decision
from gradebook.sources.origins import EXCUSED, NOTHING, Found, Origin, graded
from gradebook.sources.works import key_of


def decisions_of(offering: Offering) -> dict[tuple[int, str], Decision]:
    """By id of the student and key of the part, those that were not withdrawn. One query."""
    standing = Decision.objects.filter(enrollment__offering=offering, withdrawn_at=None).order_by()
    rows = standing.select_related("assignment", "component", "made_by")
    return {(decision.enrollment_id, part_key(decision)): decision for decision in rows}


def part_key(decision: Decision) -> str:
    """The part that it is about."""
    if decision.assignment is not None:
        return key_of(decision.assignment)
    assert decision.component is not None  # the database holds it: decision_about_one_part
    return decision.component.kind


def decided_score(decision: Decision) -> Score:
    """What stands by the decision."""
    if decision.points is None or decision.max_points is None:
        return EXCUSED
    return graded(decision.points, decision.max_points)


def with_decision(found: Found | None, decision: Decision) -> Found:
    """The decision in the source's place; where the number would have come from is kept beside it."""
    before: Origin = found.origin if found else NOTHING
    return Found(decided_score(decision), before._replace(decision=decision, pending=False, settled=True))
