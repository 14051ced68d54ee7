"""How each student stands at a lab: by the attempt that counts, as staff see it and as the student does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from courses.models import Enrollment
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Submission

Number = Decimal | None


@dataclass(frozen=True)
class Standing:
    """One student. `latest` is their last attempt; `staff` and `shown` are the attempts that count, None without a score."""

    latest: Scored
    staff: Scored | None
    shown: Scored | None

    @property
    def counting(self) -> Scored:
        """The attempt that counts; without a score, the last one."""
        return self.staff or self.latest


def class_submissions(assignment_id: int) -> list[Submission]:
    """Every attempt of those who are students now, in the order they came. One query."""
    students = Enrollment.objects.students().order_by().filter(submissions__assignment=assignment_id)
    attempts = Submission.objects.filter(assignment=assignment_id, enrollment__in=students)
    return list(attempts.select_related("enrollment__user", "assignment").order_by("pk"))


def standings(submissions: Sequence[Submission], *, trials: Collection[int] = ()) -> dict[int, Standing]:
    """By enrollment id; dry runs named in `trials` are read as if they counted. Six queries, however many students."""
    staff = _by_student(score_all(submissions, for_staff=True, trials=trials))
    shown = _by_student(score_all(submissions, for_staff=False, trials=trials))
    return {student: Standing(rows[-1], best(rows), best(shown[student])) for student, rows in staff.items()}


def numbers(scored: Scored | None) -> tuple[Number, Number]:
    """The score and what it is out of."""
    return (scored.score, scored.max_score) if scored else (None, None)


def _by_student(scored: list[Scored]) -> dict[int, list[Scored]]:
    found: dict[int, list[Scored]] = {}
    for row in scored:
        found.setdefault(row.submission.enrollment_id, []).append(row)
    return found
