"""The staff's page of what was granted in an offering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q

from assignments.due.access import may_extend
from assignments.due.forms import AccommodationForm, ExtensionForm
from assignments.due.models import Accommodation, Extension
from assignments.due.rules import DueDate
from assignments.due.selectors import grants_of
from courses.models import Enrollment

MOST_ROWS = 500
PERSON = ("enrollment__user__name", "enrollment__user__email")
ASSIGNMENT = ("assignment__title", "assignment__slug")


@dataclass(frozen=True)
class ExtensionRow:
    """An extension, and what decides the student's date now."""

    extension: Extension
    now: DueDate


@dataclass(frozen=True)
class ExtensionsPage:
    """All that was granted in an offering, newest first, and the forms that grant more; None where the viewer may not."""

    rows: tuple[ExtensionRow, ...]
    accommodations: tuple[Accommodation, ...]
    query: str
    more: bool
    extension_form: ExtensionForm | None
    accommodation_form: AccommodationForm | None
    tas_extend: bool
    is_instructor: bool


def extensions_page(
    viewer: Enrollment,
    *,
    query: str = "",
    extension_form: ExtensionForm | None = None,
    accommodation_form: AccommodationForm | None = None,
) -> ExtensionsPage:
    """What was granted; `query` keeps rows whose student or assignment has these words. Seven queries at most."""
    extensions = Extension.objects.select_related("enrollment__user", "assignment", "granted_by", "revoked_by")
    accommodations = Accommodation.objects.select_related("enrollment__user", "granted_by", "revoked_by")
    here = Q(enrollment__offering=viewer.offering)
    found = list(extensions.filter(here & _named(query, *PERSON, *ASSIGNMENT))[: MOST_ROWS + 1])
    standing = list(accommodations.filter(here & _named(query, *PERSON))[: MOST_ROWS + 1])
    grants, zone = grants_of([row.enrollment_id for row in found]), viewer.offering.zone
    return ExtensionsPage(
        rows=tuple(
            ExtensionRow(row, grants[row.enrollment_id].due_date(row.assignment, zone)) for row in found[:MOST_ROWS]
        ),
        accommodations=tuple(standing[:MOST_ROWS]),
        query=query,
        more=len(found) > MOST_ROWS or len(standing) > MOST_ROWS,
        extension_form=(extension_form or new_extension_form(viewer)) if may_extend(viewer) else None,
        accommodation_form=(accommodation_form or new_accommodation_form(viewer)) if viewer.is_instructor else None,
        tas_extend=viewer.offering.tas_extend,
        is_instructor=viewer.is_instructor,
    )


def new_extension_form(viewer: Enrollment, data: Any = None) -> ExtensionForm:
    """The form with the offering's students and assignments; `data` is what was posted."""
    assignments = list(viewer.offering.assignments.order_by("due_at", "pk"))
    return ExtensionForm(data, offering=viewer.offering, students=_students(viewer), assignments=assignments)


def new_accommodation_form(viewer: Enrollment, data: Any = None) -> AccommodationForm:
    """The same for standing extra time."""
    return AccommodationForm(data, offering=viewer.offering, students=_students(viewer))


def _students(viewer: Enrollment) -> Sequence[Enrollment]:
    students = Enrollment.objects.students().filter(offering=viewer.offering)
    return list(students.select_related("user"))


def _named(query: str, *fields: str) -> Q:
    """Every word of the query stands in one of the fields."""
    words = (reduce(or_, (Q(**{f"{field}__icontains": word}) for field in fields)) for word in query.split())
    return reduce(and_, words, Q())
