"""The lists of the queue: all that is graded by hand, one assignment's submissions, and those beside the one that is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.core.paginator import Page, Paginator
from django.db.models import Sum

from accounts.models import User
from assignments.models import Assignment, Kind
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from reviews.marking.models import Mark, Review
from reviews.queue.filters import SHOWS, QueueFilter
from reviews.queue.rows import hand_graded, is_due
from reviews.queue.standings import Standing, Standings, readings_by_grader, standings
from submissions.models import Submission
from submissions.shared import names_of, people_of

PAGE = 100
BEFORE, AFTER = 8, 22
CHIPS = {
    "left": StateChip("muted", "To grade", "circle"),
    "reading": StateChip("run", "Being read", "eye"),
    "held": StateChip("run", "You read it", "book-open"),
    "mine": StateChip("pass", "Graded by you", "check"),
    "graded": StateChip("pass", "Graded", "check"),
}


@dataclass(frozen=True)
class GraderShare:
    """How many submissions a grader has marked."""

    name: str
    count: int
    is_viewer: bool


@dataclass(frozen=True)
class QueueRow:
    """One assignment in the overview."""

    assignment: Assignment
    standings: Standings
    is_due: bool


@dataclass(frozen=True)
class QueuePage:
    """All that is graded by hand in an offering."""

    rows: tuple[QueueRow, ...]
    graders: tuple[GraderShare, ...]
    left: int


@dataclass(frozen=True)
class ListRow:
    """One submission in a list. `marks` is the sum without adjustments; `student` is empty unless names are shown."""

    standing: Standing
    chip: StateChip
    marks: Decimal | None
    grader: str = ""
    student: str = ""


@dataclass(frozen=True)
class AssignmentPage:
    """The submissions of an assignment, as the filter shows them. `found_note` says what became of a search."""

    assignment: Assignment
    noun: str
    standings: Standings
    filter: QueueFilter
    shows: tuple[tuple[str, str, int], ...]
    rows: tuple[ListRow, ...]
    page: Page[Standing]
    graders: tuple[GraderShare, ...]
    names_shown: bool
    found_note: str


def noun_of(assignment: Assignment) -> str:
    """What one of its submissions is called."""
    return "Summary" if assignment.kind == Kind.READING else "Submission"


def queue_page(enrollment: Enrollment) -> QueuePage:
    """The overview. Queries do not grow with assignments, students or graders."""
    now, assignments = clock.now(), list(hand_graded(enrollment.offering))
    found = standings(assignments, enrollment.user, now)
    rows = tuple(QueueRow(assignment, found[assignment.pk], is_due(assignment, now)) for assignment in assignments)
    return QueuePage(
        rows=rows,
        graders=shares(readings_by_grader(assignments), enrollment.user),
        left=sum(row.standings.left for row in rows),
    )


def assignment_page(
    enrollment: Enrollment, assignment: Assignment, shown: QueueFilter, *, page: str, names: bool
) -> AssignmentPage:
    """The list of an assignment's submissions. Queries do not grow with the students."""
    listed = standings([assignment], enrollment.user, clock.now())[assignment.pk]
    rows, note = _searched(listed, assignment, shown)
    paged = Paginator(rows, PAGE).get_page(page)
    return AssignmentPage(
        assignment=assignment,
        noun=noun_of(assignment),
        standings=listed,
        filter=shown,
        shows=tuple((key, label, sum(map(QueueFilter(key).takes, listed.rows))) for key, label in SHOWS.items()),
        rows=list_rows(list(paged), names=names),
        page=paged,
        graders=shares(readings_by_grader([assignment]), enrollment.user),
        names_shown=names,
        found_note=note,
    )


def beside(listed: Standings, here: Standing, shown: QueueFilter, *, names: bool) -> tuple[ListRow, ...]:
    """The submissions around the one that is read, in the filter; it is always among them."""
    rows = [row for row in listed.rows if shown.takes(row) or row is here]
    at = rows.index(here)
    return list_rows(rows[max(at - BEFORE, 0) : at + AFTER], names=names)


def neighbours(listed: Standings, here: Standing, shown: QueueFilter) -> tuple[Standing | None, Standing | None]:
    """The submission before and the one after, in the filter."""
    rows = [row for row in listed.rows if shown.takes(row)]
    before = [row for row in rows if row.number < here.number]
    after = [row for row in rows if row.number > here.number]
    return (before[-1] if before else None), (after[0] if after else None)


def list_rows(rows: Sequence[Standing], *, names: bool) -> tuple[ListRow, ...]:
    """Rows with their marks and, where names are shown, the students. Four queries at most."""
    reviews = [row.review_pk for row in rows if row.review_pk]
    sums = dict(Mark.objects.filter(review__in=reviews).order_by().values_list("review").annotate(Sum("score")))
    graders = dict(Review.objects.filter(pk__in=reviews).values_list("pk", "grader__name"))
    students = names_of([row.submission_pk for row in rows]) if names else {}
    return tuple(
        ListRow(
            standing=row,
            chip=CHIPS[row.state],
            marks=sums.get(row.review_pk or 0),
            grader=graders.get(row.review_pk or 0) or "",
            student=students.get(row.submission_pk, ""),
        )
        for row in rows
    )


def shares(counted: dict[tuple[int, str], int], viewer: User) -> tuple[GraderShare, ...]:
    """Who has marked how many, most first."""
    listed = sorted(counted.items(), key=lambda one: (-one[1], one[0][1]))
    return tuple(GraderShare(name, count, is_viewer=pk == viewer.pk) for (pk, name), count in listed)


def _searched(listed: Standings, assignment: Assignment, shown: QueueFilter) -> tuple[list[Standing], str]:
    """The rows to show, and a sentence where a receipt number leads to none or to a later submission."""
    if not shown.q:
        return [row for row in listed.rows if shown.takes(row)], ""
    asked = Submission.objects.filter(assignment=assignment, pk=shown.receipt) if shown.receipt else None
    submission = asked.first() if asked is not None else None
    if submission is None:
        return [], f"No submission of {assignment.label} has the receipt number {shown.q}."
    people = set(people_of([submission])[submission.pk])
    rows = [row for row in listed.rows if people.intersection(row.people)]
    if not rows:
        return [], f"{submission} is not to be graded yet: its student can still hand in, or has left the course."
    if exact := [row for row in rows if row.submission_pk == submission.pk]:
        return exact, ""
    return rows, f"{submission} was replaced by a later submission of the same student, which counts."
