"""The acts on one reading: add, edit, hide, show, remove, restore. Each is one transaction, with its lines in the audit trail.

Every act first takes the offering's row, so that two people (or two clicks) act one after the other.
"""

from __future__ import annotations

from dataclasses import asdict

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.text import slugify

from accounts.models import User
from assignments.models import Assignment, Kind
from audit.services import record
from config import clock
from courses.models import Offering
from readings.keeping.dates import Dates, set_dates
from readings.keeping.duplicates import DuplicateFound, duplicates_of
from readings.keeping.facts import PaperFacts, changed_paper, facts_of, paper_with
from readings.keeping.rubric import give_rubric, newest_rubric
from readings.models import Paper, Reading
from reviews.models import Rubric

# an address of the list itself
RESERVED_SLUGS = frozenset({"list"})
SLUG_CHARS = 40


class ListRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """The act cannot be done; the text says why, and what to do."""


@transaction.atomic
def add_reading(
    *, offering: Offering, facts: PaperFacts, dates: Dates, by: User, hidden: bool = False, anyway: bool = False
) -> Reading:
    """Put a paper at the end of the list, with its assignment and its rubric.

    Raises `DuplicateFound` where it seems to be there already, unless it is added `anyway`.
    """
    lock_list(offering)
    duplicates = duplicates_of(facts, Reading.objects.of(offering))
    if duplicates and not anyway:
        raise DuplicateFound(duplicates)
    like = newest_rubric(offering)
    return append(offering=offering, paper=paper_with(facts), dates=dates, by=by, hidden=hidden, like=like)


def append(*, offering: Offering, paper: Paper, dates: Dates, by: User, hidden: bool, like: Rubric | None) -> Reading:
    """Store a reading behind the last one. The caller holds the list."""
    number = Reading.objects.of(offering).listed().count() + 1
    assignment = Assignment.objects.create(
        offering=offering,
        kind=Kind.READING,
        slug=free_slug(offering, paper),
        number=number,
        title=paper.title,
        opens_at=dates.opens_at,
        due_at=dates.due_at,
    )
    reading = Reading.objects.create(assignment=assignment, paper=paper, position=number, hidden=hidden)
    give_rubric(assignment=assignment, like=like)
    after = f"{number}. {paper.title}; due {dates.due_at.isoformat()}"
    record(actor=by, action="added a reading", subject=assignment, offering_id=offering.pk, after=after)
    return reading


@transaction.atomic
def edit_reading(
    *, reading: Reading, facts: PaperFacts, dates: Dates, by: User, anyway: bool = False, confirmed: bool = False
) -> bool:
    """Store the paper's data and the reading's dates; False when nothing differs.

    Raises `DuplicateFound` unless saved `anyway`, and `DatesTouchWork` unless `confirmed`. The address of the reading stays.
    """
    lock_list(reading.assignment.offering)
    fresh = Reading.objects.select_related("assignment__offering", "paper").get(pk=reading.pk)
    assignment, before = fresh.assignment, facts_of(fresh.paper)
    others = Reading.objects.of(assignment.offering).exclude(pk=fresh.pk)
    duplicates = duplicates_of(facts, others) if facts != before else []
    if duplicates and not anyway:
        raise DuplicateFound(duplicates)
    moved = set_dates(dates={assignment: dates}, by=by, confirmed=confirmed)
    if facts == before:
        return bool(moved)
    fresh.paper, assignment.title = changed_paper(fresh.paper, facts), facts.title
    fresh.save(update_fields=["paper"])
    assignment.save(update_fields=["title"])
    old, new = _differences(before, facts)
    record(
        actor=by,
        action="edited a reading",
        subject=assignment,
        offering_id=assignment.offering_id,
        before=old,
        after=new,
    )
    return True


@transaction.atomic
def set_hidden(*, reading: Reading, hidden: bool, by: User) -> bool:
    """Hide a reading from students, or show it; False when it is so already."""
    lock_list(reading.assignment.offering)
    if not Reading.objects.listed().filter(pk=reading.pk).exclude(hidden=hidden).update(hidden=hidden):
        return False
    _record(reading, "hid a reading" if hidden else "showed a reading", by)
    return True


@transaction.atomic
def remove_reading(*, reading: Reading, by: User) -> bool:
    """Take a reading off the list. One for which anything was written or decided is archived: then True. One without is deleted.

    The papers behind it move up, and keep their dates.
    """
    offering, assignment = reading.assignment.offering, reading.assignment
    lock_list(offering)
    Assignment.objects.select_for_update().get(pk=assignment.pk)  # nobody hands in meanwhile
    archived = has_work(assignment) or not _deleted(reading, by)
    if archived:
        Reading.objects.filter(pk=reading.pk).update(archived_at=clock.now(), hidden=True)
        _record(reading, "archived a reading", by)
    renumber(offering)
    return archived


@transaction.atomic
def restore_reading(*, reading: Reading, by: User) -> bool:
    """Put an archived reading at the end of the list, still hidden; False when somebody did before."""
    offering = reading.assignment.offering
    lock_list(offering)
    position = Reading.objects.of(offering).listed().count() + 1
    archived = Reading.objects.of(offering).archived().order_by().filter(pk=reading.pk)
    if not archived.exists():
        return False
    Reading.objects.filter(pk=reading.pk).update(archived_at=None, position=position)
    renumber(offering)
    _record(reading, "restored a reading", by)
    return True


def has_work(assignment: Assignment) -> bool:
    """Whether students handed in, or only typed, anything, or staff decided what somebody gets for it."""
    return assignment.submissions.exists() or assignment.drafts.exists() or assignment.grade_decisions.exists()


def lock_list(offering: Offering) -> Offering:
    """Hold the offering's list until the transaction ends."""
    return Offering.objects.select_for_update().get(pk=offering.pk)


def renumber(offering: Offering) -> None:
    """Let places and numbers run from 1, in the order of the list. The caller holds the list."""
    readings = list(Reading.objects.of(offering).listed())
    for number, reading in enumerate(readings, start=1):
        reading.position = reading.assignment.number = number
    Reading.objects.bulk_update(readings, ["position"])
    Assignment.objects.bulk_update([reading.assignment for reading in readings], ["number"])


def free_slug(offering: Offering, paper: Paper) -> str:
    """An address made of the paper's title that no assignment of the offering has. It never changes afterwards."""
    stem = slugify(paper.title)
    if len(stem) > SLUG_CHARS:
        stem = stem[: SLUG_CHARS + 1].rpartition("-")[0] or stem[:SLUG_CHARS]
    stem = stem or "paper"
    taken = set(offering.assignments.values_list("slug", flat=True)) | RESERVED_SLUGS
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _deleted(reading: Reading, by: User) -> bool:
    """Delete the reading, and its paper where no other list has it; False where something holds on to it."""
    try:
        with transaction.atomic():
            _record(reading, "removed a reading", by)
            reading.assignment.delete()
    except ProtectedError:
        return False
    Paper.objects.filter(pk=reading.paper_id, readings=None).delete()
    return True


def _differences(before: PaperFacts, after: PaperFacts) -> tuple[str, str]:
    """What changed, as it was and as it is."""
    old, new = asdict(before), asdict(after)
    names = [name for name in old if old[name] != new[name]]
    return tuple("; ".join(f"{name}: {row[name] or '–'}" for name in names) for row in (old, new))  # type: ignore[return-value]


def _record(reading: Reading, action: str, by: User) -> None:
    assignment = reading.assignment
    before = f"{assignment.number}. {reading.paper.title}"
    record(actor=by, action=action, subject=assignment, offering_id=assignment.offering_id, before=before)
