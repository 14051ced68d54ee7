"""What a file of nbgrader says: who got how many points for what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

CENT = Decimal("0.01")
MOST = Decimal(99999)


class ImportRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A file that cannot be read, or points that cannot be taken over; the text says why. Nothing was stored."""


@dataclass(frozen=True)
class Found:
    """One student's points for one assignment of nbgrader. `where` names the place in the file; `penalty` is taken off already."""

    where: str
    assignment: str
    student_id: str
    name: str
    email: str
    lms_id: str
    points: Decimal
    max_points: Decimal
    penalty: Decimal


@dataclass(frozen=True)
class Points:
    """All of a file; `skipped` are entries that give nobody points, with the reason, and `wrong` those that cannot be read."""

    found: tuple[Found, ...]
    skipped: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def assignments(self) -> tuple[str, ...]:
        """The names that nbgrader has for them, in order."""
        return tuple(dict.fromkeys(row.assignment for row in self.found))


def number(value: object) -> Decimal | None:
    """Points, rounded to hundredths; None for what is no number of points from 0 on."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        points = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return points.quantize(CENT) if points.is_finite() and 0 <= points <= MOST else None
