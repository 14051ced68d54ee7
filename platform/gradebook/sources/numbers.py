"""Components that are one number by themselves: presentations, participation. One adapter each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from courses.models import Offering
from gradebook.book.parts import Policy
from gradebook.sources.origins import Found

# by the component's kind, what gives everyone's number, by the id of the enrollment
Source = Callable[[Offering, bool], Mapping[int, Found]]
SOURCES: dict[str, Source] = {}


def number_scores(offering: Offering, policy: Policy, *, released_only: bool) -> dict[tuple[int, str], Found]:
    """By id of the student and key of the part. What has no source here stands by decisions alone."""
    kinds = [rule.kind for rule in policy.components if rule.kind in SOURCES]
    return {
        (student, kind): found for kind in kinds for student, found in SOURCES[kind](offering, released_only).items()
    }
