"""Reads over an offering's people."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Staff first, then students, then those who dropped."""

    staff: tuple[PersonRow, ...]
    students: tuple[PersonRow, ...]
    dropped: tuple[PersonRow, ...]


def people_page(enrollment: Enrollment) -> PeoplePage:
    """Everyone in the viewer's offering. One query."""
    people = Enrollment.objects.filter(offering=enrollment.offering).select_related("user")
    listed = list(people.order_by("user__sort_name", "pk"))
    active = [person for person in listed if person.dropped_at is None]
    return PeoplePage(
        staff=tuple(_row(person) for person in active if person.is_staff),
        students=tuple(_row(person) for person in active if person.role == Role.STUDENT),
        dropped=tuple(_row(person) for person in listed if person.dropped_at is not None),
    )


def _row(person: Enrollment) -> PersonRow:
    return PersonRow(
        name=person.user.name,
        sort_name=person.user.sort_name,
        email=person.user.email,
        role=person.get_role_display(),
        dropped=person.dropped_at is not None,
    )
