"""Reads over an offering's people."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Page

from courses.lists import holds, page_of
from courses.models import Enrollment, Role


@dataclass(frozen=True)
class PersonRow:
    """One enrollment."""

    name: str
    sort_name: str
    email: str
    role: str
    dropped: bool


@dataclass(frozen=True)
class PeoplePage:
    """Staff first, then students, a page of them, then those who dropped; all of them as far as they match what is sought."""

    staff: tuple[PersonRow, ...]
    students: Page[PersonRow]
    dropped: tuple[PersonRow, ...]
    enrolled: int
    q: str


def people_page(enrollment: Enrollment, *, q: str = "", number: str = "") -> PeoplePage:
    """Everyone in the viewer's offering. One query."""
    people = Enrollment.objects.filter(offering=enrollment.offering).select_related("user")
    listed = list(people.order_by("user__sort_name", "pk"))
    found = [row for row in listed if holds(q, row.user.name, row.user.sort_name, row.user.email)]
    active = [person for person in found if person.dropped_at is None]
    return PeoplePage(
        staff=tuple(_row(person) for person in active if person.is_staff),
        students=page_of([_row(person) for person in active if person.role == Role.STUDENT], number),
        dropped=tuple(_row(person) for person in found if person.dropped_at is not None),
        enrolled=sum(person.dropped_at is None and person.role == Role.STUDENT for person in listed),
        q=q,
    )


def _row(person: Enrollment) -> PersonRow:
    return PersonRow(
        name=person.user.name,
        sort_name=person.user.sort_name,
        email=person.user.email,
        role=person.get_role_display(),
        dropped=person.dropped_at is not None,
    )
