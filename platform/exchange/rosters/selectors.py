"""The preview of a roster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from accounts.models import User
from courses.models import Enrollment
from exchange.rosters.columns import Field, missing
from exchange.rosters.plan import Plan
from exchange.rosters.services import Upload, sign

SAMPLES = 3


@dataclass(frozen=True)
class ColumnRow:
    """A column of the file: its name, its first values, and what it is read as."""

    place: int
    name: str
    samples: tuple[str, ...]
    field: str


@dataclass(frozen=True)
class RosterPage:
    """What the file would change; without a plan its columns are not known yet. `signed` is what comes back with a confirmation."""

    plan: Plan | None
    trouble: str
    columns: tuple[ColumnRow, ...]
    fields: tuple[str, ...]
    domain: str
    file: str
    note: str
    signed: str


def roster_page(enrollment: Enrollment, upload: Upload, *, by: User, trouble: str = "") -> RosterPage:
    """Two queries."""
    trouble = trouble or missing(upload.columns)
    plan = None if missing(upload.columns) else upload.plan(enrollment.offering)
    fields = {place: field.value for field, place in upload.columns.items()}
    columns = tuple(
        ColumnRow(place, name, _samples(upload, place), fields.get(place, ""))
        for place, name in enumerate(upload.grid.columns)
    )
    return RosterPage(
        plan=plan,
        trouble=trouble,
        columns=columns,
        fields=tuple(Field),
        domain=upload.domain,
        file=upload.file,
        note=upload.grid.note,
        signed=sign(enrollment.offering, upload, plan.fingerprint if plan else "", by=by),
    )


def usual_domain(enrollment: Enrollment) -> str:
    """Where most people of the offering have their mail; empty while there are none but staff of several places."""
    addresses = Enrollment.objects.filter(offering=enrollment.offering).values_list("user__email", flat=True)
    counted = Counter(address.rpartition("@")[2] for address in addresses).most_common(1)
    return counted[0][0] if counted else ""


def _samples(upload: Upload, place: int) -> tuple[str, ...]:
    values = (line.cell(place) for line in upload.grid.lines[:20])
    return tuple(value for value in dict.fromkeys(values) if value)[:SAMPLES]
