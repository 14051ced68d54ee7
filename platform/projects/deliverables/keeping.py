"""The acts on one deliverable: add, edit, remove. Each is one transaction, with its lines in the audit trail.

Every act first takes the offering's row, so that two people (or two clicks) act one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.text import slugify

from accounts.models import User
from assignments.models import Assignment, Kind
from audit.services import record
from config import clock
from courses.models import Offering
from projects.deliverables.models import Deliverable, Stage, Style
from projects.deliverables.presets import STYLES
from projects.deliverables.rubric import give_rubric
from reviews.models import Rubric

# addresses of the project's other pages
RESERVED_SLUGS = frozenset({"deliverables", "team", "teams", "board", "format", "talks", "presentations"})
SLUG_CHARS = 40
USUAL_DAYS = timedelta(days=14)


class KeepingRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """The act cannot be done; the text says why, and what to do. Nothing was changed."""


class DatesTouchWork(Exception):  # noqa: N818 - a question to the instructor, not a fault
    """The dates would change under work that was handed in; nothing was stored."""

    def __init__(self, submissions: int) -> None:
        what = "1 submission was" if submissions == 1 else f"{submissions} submissions were"
        super().__init__(
            f"{what} handed in for this deliverable, and its dates would change. Those stay as they are, on time or late."
        )


@dataclass(frozen=True)
class Description:
    """What a deliverable asks for, and when."""

    stage: str
    title: str
    opens_at: datetime
    due_at: datetime
    style: str = Style.FREE
    pages_from: int | None = None
    pages_to: int | None = None
    instructions: str = ""

    @classmethod
    def of(cls, deliverable: Deliverable) -> Description:
        """As it is stored."""
        row = deliverable.assignment
        return cls(
            deliverable.stage,
            row.title,
            row.opens_at.replace(microsecond=0),
            row.due_at.replace(microsecond=0),
            deliverable.style,
            deliverable.pages_from,
            deliverable.pages_to,
            deliverable.instructions,
        )


def usual(offering: Offering) -> Description:
    """What the form for a new one begins with: the first stage that the offering lacks, due in two weeks at the end of the day."""
    there = set(Deliverable.objects.filter(assignment__offering=offering).values_list("stage", flat=True))
    stage = next((stage for stage in Stage if stage not in there), Stage.FINAL)
    today = clock.now().astimezone(offering.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    due_at = (today + USUAL_DAYS).replace(hour=23, minute=59, second=59)
    return Description(stage, stage.label, today, due_at, STYLES[stage])


@transaction.atomic
def add_deliverable(*, offering: Offering, description: Description, by: User) -> Deliverable:
    """Put a deliverable behind the others, with the usual rubric of its stage; a presentation's is rated and gets none."""
    Offering.objects.select_for_update().get(pk=offering.pk)
    assignment = Assignment.objects.create(
        offering=offering,
        kind=Kind.DELIVERABLE,
        slug=_free_slug(offering, description.title),
        number=offering.assignments.deliverables().count() + 1,
        title=description.title,
        opens_at=description.opens_at,
        due_at=description.due_at,
        scored_elsewhere=description.stage == Stage.PRESENTATION,
    )
    made = Deliverable.objects.create(assignment=assignment, **_asked(description))
    give_rubric(assignment=assignment, stage=made.stage)
    _record(assignment, by, "added a deliverable", after=_in_words(description))
    return made


@transaction.atomic
def edit_deliverable(*, deliverable: Deliverable, description: Description, by: User, confirmed: bool = False) -> bool:
    """Store what differs; False when nothing does. The address stays.

    Raises `DatesTouchWork` unless `confirmed`, and `KeepingRefused` for another stage where something was handed in or marked, or where
    the rubric was edited.
    """
    fresh = _locked(deliverable)
    assignment, before = fresh.assignment, Description.of(fresh)
    if description == before:
        return False
    submissions = assignment.submissions.count()
    moved = (description.opens_at, description.due_at) != (before.opens_at, before.due_at)
    if moved and submissions and not confirmed:
        raise DatesTouchWork(submissions)
    if description.stage != before.stage:
        _change_stage(assignment, description.stage, submissions)
    for name, value in _asked(description).items():
        setattr(fresh, name, value)
    fresh.save()
    assignment.title, assignment.opens_at, assignment.due_at = (
        description.title,
        description.opens_at,
        description.due_at,
    )
    assignment.save(update_fields=["title", "opens_at", "due_at"])
    for action, was, now in _changes(before, description):
        _record(assignment, by, action, before=was, after=now)
    return True


@transaction.atomic
def remove_deliverable(*, deliverable: Deliverable, by: User) -> None:
    """Take a deliverable away for which nothing was handed in and no score was decided; raises `KeepingRefused` otherwise."""
    fresh = _locked(deliverable)
    assignment = fresh.assignment
    if assignment.submissions.exists():
        raise KeepingRefused(
            f"Something was handed in for {assignment.label}, so it cannot be removed. Its work and its scores are kept."
        )
    if decided := assignment.grade_decisions.filter(withdrawn_at=None).count():
        raise KeepingRefused(
            f"Staff decided the score of {assignment.label} for {decided} student{'' if decided == 1 else 's'}, so it cannot be removed. "
            "Withdraw that in their grades first."
        )
    _record(assignment, by, "removed a deliverable", before=_in_words(Description.of(fresh)))
    offering = assignment.offering
    assignment.delete()
    for number, row in enumerate(offering.assignments.deliverables().order_by("number", "pk"), start=1):
        Assignment.objects.filter(pk=row.pk).update(number=number)


def _locked(deliverable: Deliverable) -> Deliverable:
    Offering.objects.select_for_update().get(pk=deliverable.assignment.offering_id)
    Assignment.objects.select_for_update().get(pk=deliverable.assignment_id)  # nobody hands in meanwhile
    return Deliverable.objects.select_related("assignment__offering").get(pk=deliverable.pk)


def _change_stage(assignment: Assignment, stage: str, submissions: int) -> None:
    """With another stage comes its usual rubric; nothing hangs on the old one yet, and nobody has worked on it."""
    if submissions:
        raise KeepingRefused("Something was handed in for it, so its stage stays. Add another deliverable instead.")
    rubric = Rubric.objects.filter(assignment=assignment)
    if rubric.filter(revision__gt=0).exists():
        raise KeepingRefused(
            "Its rubric was edited, and another stage would put the usual one in its place. Add another deliverable instead."
        )
    rubric.delete()
    assignment.points = assignment.points * 0
    assignment.scored_elsewhere = stage == Stage.PRESENTATION
    assignment.save(update_fields=["points", "scored_elsewhere"])
    give_rubric(assignment=assignment, stage=stage)


def _asked(description: Description) -> dict[str, object]:
    names = ("stage", "style", "pages_from", "pages_to", "instructions")
    return {name: getattr(description, name) for name in names}


def _free_slug(offering: Offering, title: str) -> str:
    """An address made of the title that no assignment of the offering has. It never changes afterwards."""
    stem = slugify(title)[:SLUG_CHARS].strip("-") or "deliverable"
    taken = set(offering.assignments.values_list("slug", flat=True)) | RESERVED_SLUGS
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _changes(before: Description, after: Description) -> Iterator[tuple[str, str, str]]:
    """What differs, as the trail calls it, how it was and how it is. Dates have lines of their own, as those of other assignments."""
    old, new = asdict(before), asdict(after)
    for name, action in (("opens_at", "changed the opening"), ("due_at", "changed the due date")):
        if old[name] != new[name]:
            yield action, old[name].isoformat(), new[name].isoformat()
    names = [name for name in old if name not in {"opens_at", "due_at"} and old[name] != new[name]]
    if names:
        was, now = ("; ".join(f"{name}: {_shown(row[name])}" for name in names) for row in (old, new))
        yield "edited a deliverable", was, now


def _shown(value: object) -> str:
    return "–" if value in {None, ""} else str(value)


def _in_words(description: Description) -> str:
    return f"{Stage(description.stage).label}: {description.title}; due {description.due_at.isoformat()}"


def _record(assignment: Assignment, by: User, action: str, *, before: str = "", after: str = "") -> None:
    record(
        actor=by,
        action=action,
        subject=assignment,
        offering_id=assignment.offering_id,
        before=before,
        after=after,
    )
