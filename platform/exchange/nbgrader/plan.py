"""Who would get what for which assignment: nbgrader's points beside the class and the decisions that stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Assignment
from courses.models import Enrollment, Offering
from exchange.nbgrader.found import Found, Points
from exchange.tables import name_key
from gradebook.models import Decision


@dataclass(frozen=True)
class Given:
    """Points that a student would have. `replaces` is the decision that stands now."""

    enrollment: Enrollment
    assignment: Assignment
    found: Found
    replaces: Decision | None

    @property
    def same(self) -> bool:
        """Whether that is so already."""
        old = self.replaces
        return old is not None and (old.points, old.max_points) == (self.found.points, self.found.max_points)


@dataclass(frozen=True)
class Plan:
    """All of it. `unmapped` are assignments of nbgrader that stand for none of ours."""

    given: tuple[Given, ...]
    unchanged: int
    unknown: tuple[str, ...]
    unmapped: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The same for the same points in place of the same decisions."""
        rows = [
            (
                row.enrollment.pk,
                row.assignment.pk,
                str(row.found.points),
                str(row.found.max_points),
                row.replaces and row.replaces.pk,
            )
            for row in self.given
        ]
        return hashlib.sha256(repr(rows).encode()).hexdigest()


def guessed(offering: Offering, names: Iterable[str]) -> dict[str, int]:
    """By nbgrader's name, the assignment of ours that is called the same, as far as one is."""
    called: dict[str, int] = {}
    for assignment in offering.assignments.order_by("-pk"):
        for name in (assignment.slug, assignment.title, f"{assignment.kind}{assignment.number}", assignment.label):
            called[name_key(name)] = assignment.pk
    called.pop("", None)  # a name of signs alone is like no other
    return {name: called[name_key(name)] for name in names if name_key(name) in called}


def plan_of(offering: Offering, points: Points, mapping: Mapping[str, int]) -> Plan:
    """Compare with the class. Three queries."""
    assignments = {row.pk: row for row in offering.assignments.all()}
    people = list(offering.enrollments.students().select_related("user"))
    standing = {
        (row.enrollment_id, row.assignment_id): row
        for row in Decision.objects.filter(enrollment__in=people, assignment__in=assignments, withdrawn_at=None)
    }
    whose = _People(people)
    given: dict[tuple[int, int], Given] = {}
    unknown: list[str] = []
    for row in points.found:
        assignment = assignments.get(mapping.get(row.assignment, 0))
        if assignment is None:
            continue
        person = whose.of(row)
        if isinstance(person, str):
            unknown.append(f"{row.where or row.assignment}: {person}")
        elif (person.pk, assignment.pk) in given:
            unknown.append(
                f"{row.where or row.assignment}: {person.user.name} has points for {assignment.label} already."
            )
        else:
            given[person.pk, assignment.pk] = Given(person, assignment, row, standing.get((person.pk, assignment.pk)))
    new = tuple(row for row in given.values() if not row.same)
    unmapped = tuple(name for name in points.assignments if mapping.get(name, 0) not in assignments)
    return Plan(new, len(given) - len(new), tuple(unknown), unmapped)


class _People:
    """Finds students by what nbgrader knows of them."""

    def __init__(self, people: Sequence[Enrollment]) -> None:
        self._known: dict[tuple[str, str], set[Enrollment]] = {}
        for person in people:
            mail = person.user.email
            names = [
                ("mail", mail),
                ("lms", person.lms_id),
                *(("id", name.casefold()) for name in (mail, person.sis_login, person.sis_id)),
                ("local", mail.partition("@")[0].casefold()),
            ]
            for key in names:
                if key[1]:
                    self._known.setdefault(key, set()).add(person)

    def of(self, row: Found) -> Enrollment | str:
        """The student, or why there is none. The surest name decides: address, ID in the LMS, login or SIS ID, name of the mailbox."""
        student_id = row.student_id.casefold()
        for key in (("mail", row.email), ("lms", row.lms_id), ("id", student_id), ("local", student_id)):
            found = self._known.get(key, set()) if key[1] else set()
            if len(found) == 1:
                return next(iter(found))
            if found:
                return (
                    f"“{row.student_id}” may be several students: {', '.join(sorted(one.user.name for one in found))}."
                )
        return f"“{row.student_id}” {row.name} {row.email}".rstrip() + " is no student of this class."


def reason_of(found: Found, why: str) -> str:
    """What the student reads beside the points."""
    off = f", {_plain(found.penalty)} taken off for being late" if found.penalty else ""
    return f"Points from nbgrader for {found.assignment}: {_plain(found.points)} of {_plain(found.max_points)}{off}. {why}".strip()


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
