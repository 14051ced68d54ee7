"""The acts on the whole list: its order, its due dates, and its copy for another offering."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering, Role
from readings.keeping.dates import Dates, set_dates
from readings.keeping.duplicates import duplicates_of
from readings.keeping.facts import PaperFacts, facts_of, paper_with
from readings.keeping.rubric import newest_rubric
from readings.keeping.schedule import (
    WEEK,
    end_of_day,
    first_friday,
    kept,
    opening,
    until_kept,
    weekly,
)
from readings.keeping.services import ListRefused, append, lock_list, renumber
from readings.models import Reading


@transaction.atomic
def reorder(*, offering: Offering, order: Sequence[str], dates_stay: bool, by: User, confirmed: bool = False) -> bool:
    """Put the list into this order, named by slugs; False when it has it already.

    Dates belong to places: with `dates_stay` the first paper is due on the first date, whichever it is. Otherwise each paper takes its
    dates along. Raises `ListRefused` where the list is another one by now, and `DatesTouchWork` unless `confirmed`.
    """
    lock_list(offering)
    listed = list(Reading.objects.of(offering).listed())
    by_slug = {reading.assignment.slug: reading for reading in listed}
    if sorted(order) != sorted(by_slug):
        raise ListRefused(
            "The list has changed since you opened it, so the order was not saved. Here it is as it stands now."
        )
    wanted = [by_slug[slug] for slug in order]
    if wanted == listed:
        return False
    if dates_stay:
        set_dates(dates=_by_place(wanted, listed), by=by, confirmed=confirmed)
    _store_order(offering, wanted)
    record(
        actor=by,
        action="reordered the readings",
        subject=offering,
        offering_id=offering.pk,
        before=_told(listed),
        after=_told(wanted),
    )
    return True


@transaction.atomic
def set_weekly(*, offering: Offering, days: Sequence[date], by: User, confirmed: bool = False) -> int:
    """Make the first reading due at the end of the first day, and so on; says how many changed.

    Raises `ListRefused` where there are not as many days as readings, and `DatesTouchWork` unless `confirmed`.
    """
    lock_list(offering)
    assignments = [reading.assignment for reading in Reading.objects.of(offering).listed()]
    if len(days) != len(assignments):
        raise ListRefused(
            "The list has changed since you opened it, so no date was set. Here are the dates as they would be now."
        )
    dates = {
        assignment: Dates.of(assignment).due(end_of_day(day, offering.zone))
        for assignment, day in zip(assignments, days, strict=True)
    }
    return set_dates(dates=dates, by=by, confirmed=confirmed)


@transaction.atomic
def add_papers(*, offering: Offering, papers: Sequence[PaperFacts], by: User, hidden: bool) -> list[Reading]:
    """Put papers at the end of the list, due weekly after the last one. The instructor has seen which are duplicates."""
    lock_list(offering)
    like, days = newest_rubric(offering), next_days(offering, len(papers))
    return [
        append(
            offering=offering, paper=paper_with(facts), dates=dates_on(offering, day), by=by, hidden=hidden, like=like
        )
        for facts, day in zip(papers, days, strict=True)
    ]


@transaction.atomic
def copy_list(*, source: Offering, target: Offering, days: Sequence[date], by: User) -> list[Reading]:
    """Put the papers that `target` does not have yet at the end of its list, due on these days, with their rubrics.

    Doing it again adds nothing. Raises `ListRefused` unless `by` is an instructor of both, or where there are not as many days.
    """
    instructs = Enrollment.objects.active().filter(user=by, role=Role.INSTRUCTOR, offering__in=(source, target))
    if instructs.count() != 2:
        raise ListRefused("Only an instructor of both offerings can copy the list.")
    lock_list(target)
    missing = to_copy(source, target)
    if len(days) != len(missing):
        raise ListRefused(
            "A list has changed since you opened this page, so nothing was copied. Here it is as it stands now."
        )
    return [
        append(
            offering=target,
            paper=reading.paper,
            dates=dates_on(target, day),
            by=by,
            hidden=reading.hidden,
            like=getattr(reading.assignment, "rubric", None),
        )
        for reading, day in zip(missing, days, strict=True)
    ]


def to_copy(source: Offering, target: Offering) -> list[Reading]:
    """The readings of `source` whose paper is not in `target` yet, neither on its list nor in its archive. Two queries."""
    there = list(Reading.objects.of(target))
    listed = Reading.objects.of(source).listed().select_related("assignment__rubric")
    return [reading for reading in listed if not duplicates_of(facts_of(reading.paper), there)]


def next_days(offering: Offering, count: int) -> list[date]:
    """Due days for `count` more papers: weekly after the last one of the list, recesses skipped."""
    recesses = list(offering.recesses.all())
    return kept(until_kept(weekly(next_day(offering), recesses), count))


def next_day(offering: Offering) -> date:
    """A week after the last due date of the list; without any, the first Friday that is left of the offering."""
    listed = Assignment.objects.readings().filter(offering=offering, reading__archived_at=None)
    last = listed.order_by("due_at").last()
    return offering.day_of(last.due_at) + WEEK if last else first_friday(offering, offering.day_of(clock.now()))


def dates_on(offering: Offering, day: date) -> Dates:
    """Due at the end of this day, open with the offering."""
    due_at = end_of_day(day, offering.zone)
    return Dates(opening(offering, due_at), due_at)


def _by_place(wanted: Sequence[Reading], listed: Sequence[Reading]) -> dict[Assignment, Dates]:
    """Each paper's dates in the new order: those of the place that it comes to."""
    return {new.assignment: Dates.of(old.assignment) for new, old in zip(wanted, listed, strict=True)}


def _store_order(offering: Offering, wanted: Sequence[Reading]) -> None:
    for position, reading in enumerate(wanted, start=1):
        reading.position = position
    Reading.objects.bulk_update(wanted, ["position"])
    renumber(offering)


def _told(readings: Sequence[Reading]) -> str:
    return ", ".join(reading.assignment.slug for reading in readings)
