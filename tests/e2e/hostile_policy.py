"""What people write into grading schemes and beside snapshots, for the hostile course."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from config import clock
from gradebook.freezing.services import take_snapshot
from gradebook.models import Component, PolicyChange, Snapshot
from gradebook.policies.spec import ComponentSpec, SchemeSpec, spec_of

if TYPE_CHECKING:
    from tests.e2e.hostile_course import Course


def scheme_words(course: Course, n: int, text: str) -> None:
    """The name of a component, the reason of a change, and the note of a snapshot."""
    offering, now, staff = course.offering, clock.now(), course.instructor.user
    before = spec_of(offering)
    made = Component.objects.create(offering=offering, kind=f"own-{n}", name=text[:120], weight=0, position=n + 1)
    after = SchemeSpec((*before.components, ComponentSpec(made.kind, made.name, made.weight)), before.letters)
    PolicyChange.objects.create(
        offering=offering, revision=n + 1, before=before.to_data(), after=after.to_data(), reason=text, made_by=staff,
        made_at=now, reverted_at=now if n % 2 else None, reverted_by=staff if n % 2 else None,
    )  # fmt: skip
    _snapshot(course, n, text)


def _snapshot(course: Course, n: int, text: str) -> None:
    """With a note. The first and the last are taken; grades of the whole class for each text would be most of the course's making."""
    offering, staff = course.offering, course.instructor.user
    if n in {0, len(course.students) - 1}:
        take_snapshot(offering=offering, by=staff, note=text)
        return
    first = offering.grade_snapshots.earliest("pk")
    Snapshot.objects.create(
        offering=offering, final=False, sha256=first.sha256, data=first.data, note=text, taken_at=clock.now(), taken_by=staff
    )  # fmt: skip


def policy_pages(course: Course) -> list[str]:
    """The pages that show them, for the instructor."""
    offering = course.offering
    lists = ("grading", "grading-edit", "freezing", "statistics", "at-risk")
    return [
        *(reverse(name, args=[offering.slug]) for name in lists),
        *(reverse("grading-change", args=[offering.slug, made.pk]) for made in offering.policy_changes.all()[:6]),
        *(reverse("snapshot", args=[offering.slug, made.pk]) for made in offering.grade_snapshots.defer("data")[:4]),
    ]
