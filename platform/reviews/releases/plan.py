"""What a release would show: every student of the class with their score, and whether it is new to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from assignments.models import Assignment, Kind
from courses.models import Enrollment
from courses.pages import StateChip
from reviews.marking.scores import hand_scores, latest_of_students
from reviews.models import RubricScore
from reviews.regrades.standings import class_submissions, standings
from reviews.releases.standing import released_since
from submissions.models import Submission

State = Literal["ready", "flagged", "released", "ungraded", "nothing"]
CHIPS: dict[State, StateChip] = {
    "ready": StateChip("pass", "To release"),
    "flagged": StateChip("warn", "Flagged", "flag"),
    "released": StateChip("muted", "Released", "check"),
    "ungraded": StateChip("warn", "Not graded"),
    "nothing": StateChip("muted", "Nothing handed in"),
}


@dataclass(frozen=True)
class PlanRow:
    """One student. `submission` is the work that counts, None where nothing was handed in; without marks there is no score."""

    enrollment: Enrollment
    submission: Submission | None
    score: Decimal | None
    max_score: Decimal
    state: State
    released_at: datetime | None

    @property
    def chip(self) -> StateChip:
        """The state as icon, word and colour."""
        return CHIPS[self.state]


@dataclass(frozen=True)
class Plan:
    """The class, in the order of the class list."""

    assignment: Assignment
    rows: tuple[PlanRow, ...]

    def count(self, *states: State) -> int:
        """How many students are in one of these states."""
        return sum(row.state in states for row in self.rows)

    def works(self, *states: State) -> int:
        """How many submissions stand so; a team's is one."""
        return len({row.submission.pk for row in self.rows if row.submission is not None and row.state in states})

    def chosen(self, *, with_flagged: bool) -> list[PlanRow]:
        """Those whose score a release now would show for the first time."""
        return [row for row in self.rows if row.state == "ready" or (with_flagged and row.state == "flagged")]

    @property
    def scores(self) -> tuple[Decimal, ...]:
        """Every score there is, released or not, in order."""
        return tuple(sorted(row.score for row in self.rows if row.score is not None))


def plan_of(assignment: Assignment) -> Plan:
    """The whole class. The number of queries does not grow with it."""
    students = list(assignment.offering.enrollments.students().select_related("user"))
    return Plan(
        assignment, _lab_rows(assignment, students) if assignment.kind == Kind.LAB else _rows(assignment, students)
    )


def _rows(assignment: Assignment, students: Sequence[Enrollment]) -> tuple[PlanRow, ...]:
    counting = latest_of_students(assignment)
    found = Submission.objects.select_related("enrollment__user").in_bulk(set(counting.values()))
    work = {student: found[pk] for (student, _), pk in counting.items()}
    scores, released = hand_scores(work.values()), released_since(work.values())
    rows = []
    for student in students:
        submission = work.get(student.pk)
        score = scores.get(submission.pk) if submission else None
        release = released.get(submission.pk) if submission else None
        state = _state(
            submission, graded=bool(score), released=bool(release), flagged=bool(score and score.review.flagged)
        )
        rows.append(
            PlanRow(
                student,
                submission,
                score.total if score else None,
                score.points if score else assignment.points,
                state,
                release,
            )
        )
    return tuple(rows)


def _lab_rows(assignment: Assignment, students: Sequence[Enrollment]) -> tuple[PlanRow, ...]:
    """A lab's score is that of the attempt that counts; a score set by staff that students do not see yet is to be released."""
    submissions = class_submissions(assignment.pk)
    found = standings(submissions)
    counting = {student: standing.counting.submission for student, standing in found.items()}
    released = released_since(counting.values())
    hidden = RubricScore.objects.filter(submission__in=submissions, released_at=None)
    waiting = set(hidden.order_by().values_list("submission__enrollment", flat=True))
    rows = []
    for student in students:
        submission = counting.get(student.pk)
        scored = found[student.pk].staff if student.pk in found else None
        release = released.get(submission.pk) if submission else None
        shown = release is not None and student.pk not in waiting
        rows.append(
            PlanRow(
                student,
                submission,
                scored.score if scored else None,
                (scored.max_score if scored else None) or assignment.points,
                _state(submission, graded=scored is not None, released=shown, flagged=False),
                release,
            )
        )
    return tuple(rows)


def _state(submission: Submission | None, *, graded: bool, released: bool, flagged: bool) -> State:
    if submission is None:
        return "nothing"
    if not graded:
        return "ungraded"
    if released:
        return "released"
    return "flagged" if flagged else "ready"
