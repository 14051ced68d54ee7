"""The platform's course beside the class: who would be added, changed and dropped by a roster of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from courses.models import Enrollment, Role
from lti.models import Context, Member

Row = tuple[object, ...]
HEADER: Row = ("name", "email", "role", "SIS user ID")


@dataclass(frozen=True)
class RoleDiffers:
    """Someone who is something else there; no launch and no reading changes what they are here."""

    enrollment: Enrollment
    there: str


@dataclass(frozen=True)
class MembersPage:
    """`known` people are in both. `without_ids` of them lack a SIS user ID that the platform has."""

    context: Context
    known: int
    adds: tuple[Member, ...]
    changes: tuple[RoleDiffers, ...]
    drops: tuple[Enrollment, ...]
    without_ids: int
    refusal: str = ""


def members_page(context: Context, *, refusal: str = "") -> MembersPage:
    """Two queries. Nothing is compared before names and roles were read."""
    members = list(context.members.select_related("enrollment__user"))
    here = list(Enrollment.objects.active().filter(offering=context.offering).select_related("user"))
    active = [row for row in members if row.active and row.role]
    known = {row.enrollment_id: row for row in active if row.enrollment_id}
    in_class = {row.pk for row in here}
    return MembersPage(
        context=context,
        known=len(in_class & known.keys()),
        adds=tuple(row for row in active if row.enrollment_id not in in_class),
        changes=tuple(
            RoleDiffers(row, Role(known[row.pk].role).label)
            for row in here
            if row.pk in known and known[row.pk].role != row.role
        ),
        drops=tuple(row for row in here if row.is_student and row.pk not in known) if members else (),
        without_ids=sum(bool(row.sis_id and row.enrollment and not row.enrollment.sis_id) for row in members),
        refusal=refusal,
    )


def roster_rows(context: Context) -> Iterator[Row]:
    """The platform's people as the plain roster that the roster page reads."""
    yield HEADER
    for row in context.members.filter(active=True).exclude(role=""):
        yield (row.name, row.email, Role(row.role).label, row.sis_id)
