"""The page of imports, and the preview of one."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from accounts.models import User
from assignments.models import Assignment
from courses.models import Enrollment
from exchange.models import PointsImport
from exchange.nbgrader.plan import Plan
from exchange.nbgrader.services import Upload, sign


@dataclass(frozen=True)
class ImportsPage:
    """The form and what was imported; `refusal` says why the last file was not read."""

    imports: tuple[PointsImport, ...]
    refusal: str


@dataclass(frozen=True)
class MappingRow:
    """An assignment of nbgrader, the number of its points in the file, and the id of ours that it is; 0 for none."""

    place: int
    name: str
    count: int
    chosen: int


@dataclass(frozen=True)
class PreviewPage:
    """Who would get what."""

    plan: Plan
    mapping: tuple[MappingRow, ...]
    assignments: tuple[Assignment, ...]
    skipped: tuple[str, ...]
    wrong: tuple[str, ...]
    file: str
    signed: str
    trouble: str


def imports_page(enrollment: Enrollment, *, refusal: str = "") -> ImportsPage:
    """One query."""
    made = PointsImport.objects.filter(offering=enrollment.offering).select_related("made_by", "withdrawn_by")
    return ImportsPage(tuple(made.annotate(count=Count("items"))[:100]), refusal)


def preview_page(enrollment: Enrollment, upload: Upload, *, by: User, trouble: str = "") -> PreviewPage:
    """Four queries."""
    offering, found = enrollment.offering, upload.points.found
    plan = upload.plan(offering)
    mapping = tuple(
        MappingRow(place, name, sum(row.assignment == name for row in found), upload.mapping.get(name, 0))
        for place, name in enumerate(upload.points.assignments)
    )
    return PreviewPage(
        plan=plan,
        mapping=mapping,
        assignments=tuple(offering.assignments.order_by("kind", "number")),
        skipped=upload.points.skipped,
        wrong=upload.points.wrong,
        file=upload.file,
        signed=sign(offering, upload, plan.fingerprint, by=by),
        trouble=trouble,
    )
