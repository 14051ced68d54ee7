"""Components that are one number by themselves. One that is not named here stands by decisions alone."""

from __future__ import annotations

from courses.models import Offering
from gradebook.book.parts import Policy
from gradebook.sources import participation, presentations
from gradebook.sources.origins import Found


def number_scores(offering: Offering, policy: Policy, *, released_only: bool) -> dict[tuple[int, str], Found]:
    """By id of the student and key of the part, for the components that the policy has."""
    kinds = {rule.kind for rule in policy.components}
    found: dict[tuple[int, str], Found] = {}
    if participation.KIND in kinds:
        rows = participation.scores(offering)
        found |= {(student, participation.KIND): row for student, row in rows.items()}
    if presentations.KIND in kinds:
        rows = presentations.scores(offering, released_only=released_only)
        found |= {(student, presentations.KIND): row for student, row in rows.items()}
    return found
