"""Which parts an offering's grade has, and the assignment behind each that has one.

Labs with a published version, readings that are not hidden, and the reports of projects are parts by their assignments. A component that
has no assignments, such as participation, is one part by itself, and its key is its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from assignments.models import Assignment, Kind
from courses.models import Offering
from gradebook.book.parts import ComponentRule, Part
from projects.deliverables.models import Stage

OF_KIND = {Kind.LAB: "labs", Kind.READING: "readings"}
REPORTS = (Stage.PROPOSAL, Stage.MIDTERM, Stage.FINAL)
WITH_ASSIGNMENTS = frozenset({*OF_KIND.values(), *REPORTS})
PERCENT = Fraction(100)


@dataclass(frozen=True)
class Work:
    """A part with its assignment."""

    part: Part
    assignment: Assignment


def key_of(assignment: Assignment) -> str:
    """The key of an assignment's part."""
    return f"{assignment.kind}:{assignment.slug}"


def works_of(offering: Offering) -> tuple[Work, ...]:
    """The parts that have assignments, labs first, each kind by its numbers. One query."""
    listed = offering.assignments.select_related("reading", "deliverable").order_by("number", "pk")
    kinds = list(Kind)
    found = ((assignment, _component_of(assignment)) for assignment in listed)
    works = [Work(_part(assignment, component), assignment) for assignment, component in found if component]
    return tuple(sorted(works, key=lambda work: kinds.index(Kind(work.assignment.kind))))


def parts_of(components: Sequence[ComponentRule], works: Sequence[Work]) -> tuple[Part, ...]:
    """All parts in the order of their components; those of work that belongs to no component come last."""
    order = {rule.kind: place for place, rule in enumerate(components)}
    alone = (Part(rule.kind, rule.name, rule.kind, PERCENT) for rule in components if rule.kind not in WITH_ASSIGNMENTS)
    parts = [*alone, *(work.part for work in works)]
    return tuple(sorted(parts, key=lambda part: order.get(part.component, len(order))))


def _component_of(assignment: Assignment) -> str:
    """The kind of the component that the assignment is a part of; empty where it is no part of the grade."""
    if assignment.kind == Kind.LAB:
        return OF_KIND[Kind.LAB] if assignment.is_published else ""
    if assignment.kind == Kind.READING:
        return OF_KIND[Kind.READING] if hasattr(assignment, "reading") and not assignment.reading.hidden else ""
    stage = assignment.deliverable.stage if hasattr(assignment, "deliverable") else ""
    return stage if stage in REPORTS else ""


def _part(assignment: Assignment, component: str) -> Part:
    return Part(key_of(assignment), assignment.label, component, Fraction(assignment.points))
