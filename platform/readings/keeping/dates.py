"""Changing when readings open and are due. Where summaries were handed in, somebody has to say that they mean it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from readings.keeping.schedule import WEEK
from submissions.models import Submission


@dataclass(frozen=True)
class Dates:
    """A place in the list, or what somebody set: when a reading opens and when it is due."""

    opens_at: datetime
    due_at: datetime

    @classmethod
    def of(cls, assignment: Assignment) -> Dates:
        """As they are stored."""
        return cls(assignment.opens_at, assignment.due_at)

    def due(self, due_at: datetime) -> Dates:
        """Another due date. An opening that would lie behind it moves to a week before."""
        return Dates(self.opens_at if self.opens_at < due_at else due_at - WEEK, due_at)


class DatesTouchWork(Exception):  # noqa: N818 - a question to the instructor, not a fault
    """The dates would change under work that was handed in; nothing was stored. `readings` and `summaries` count it."""

    def __init__(self, readings: int, summaries: int) -> None:
        self.readings, self.summaries = readings, summaries
        which = "1 reading" if readings == 1 else f"{readings} readings"
        what = "1 summary was" if summaries == 1 else f"{summaries} summaries were"
        super().__init__(
            f"This changes the dates of {which} for which {what} handed in. Those stay as they are, on time or late."
        )


def summaries_by_assignment(assignments: Iterable[int]) -> dict[int, int]:
    """How many students handed in a summary, by assignment id; those without any are left out. One query."""
    submissions = Submission.objects.filter(assignment__in=list(assignments)).order_by().values_list("assignment_id")
    return dict(submissions.annotate(Count("enrollment", distinct=True)))


def set_dates(*, dates: Mapping[Assignment, Dates], by: User, confirmed: bool) -> int:
    """Store the dates that differ and say how many; raises `DatesTouchWork` unless `confirmed`. Call it in a transaction."""
    changed = {row: new for row, new in dates.items() if new != Dates.of(row)}
    summaries = summaries_by_assignment(row.pk for row in changed)
    if summaries and not confirmed:
        raise DatesTouchWork(len(summaries), sum(summaries.values()))
    for assignment, new in changed.items():
        _store(assignment, new, by)
    return len(changed)


def _store(assignment: Assignment, new: Dates, by: User) -> None:
    old = Dates.of(assignment)
    assignment.opens_at, assignment.due_at = new.opens_at, new.due_at
    assignment.save(update_fields=["opens_at", "due_at"])
    for action, before, after in (
        ("changed the opening", old.opens_at, new.opens_at),
        ("changed the due date", old.due_at, new.due_at),
    ):
        if before != after:
            record(
                actor=by,
                action=action,
                subject=assignment,
                offering_id=assignment.offering_id,
                before=before.isoformat(),
                after=after.isoformat(),
            )
