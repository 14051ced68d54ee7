"""Two snapshots side by side, or one and now: whose grade differs, and which part is why. No database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gradebook.book.parts import Score, State
from gradebook.freezing.frozen import Frozen, FrozenStudent
from gradebook.numbers import plain

ABSENT = Score(State.NOT_DUE)


@dataclass(frozen=True)
class PartDifference:
    """One part of one student that says something else."""

    key: str
    title: str
    before: str
    after: str


@dataclass(frozen=True)
class StudentDifference:
    """A student whose grade, or a part of it, differs. Without parts it is the policy, or the rank among others, that did it."""

    enrollment_pk: int
    name: str
    final_before: Fraction | None
    final_after: Fraction | None
    letter_before: str
    letter_after: str
    parts: tuple[PartDifference, ...]
    why: str

    @property
    def changes_letter(self) -> bool:
        """Whether it is more than a number."""
        return self.letter_before != self.letter_after


@dataclass(frozen=True)
class Differences:
    """What `after` has otherwise than `before`. Letters that differ come first."""

    students: tuple[StudentDifference, ...]
    came: tuple[str, ...]
    left: tuple[str, ...]
    policy_changed: bool

    @property
    def is_empty(self) -> bool:
        """Whether both say the same."""
        return not (self.students or self.came or self.left or self.policy_changed)


def compare(before: Frozen, after: Frozen) -> Differences:
    """From `before` to `after`."""
    titles = {part.key: part.title for frozen in (after, before) for part in frozen.parts}
    both = [pk for pk in before.students if pk in after.students]
    policy_changed = before.policy != after.policy
    found = [_student(before.students[pk], after.students[pk], titles, policy_changed=policy_changed) for pk in both]
    return Differences(
        students=tuple(
            sorted((row for row in found if row is not None), key=lambda row: (not row.changes_letter, row.name))
        ),
        came=tuple(row.name for pk, row in after.students.items() if pk not in before.students),
        left=tuple(row.name for pk, row in before.students.items() if pk not in after.students),
        policy_changed=policy_changed,
    )


def score_in_words(score: Score) -> str:
    """`9 of 12`, or how the part stands without a score."""
    if score.state is State.GRADED:
        return f"{plain(score.points)} of {plain(score.max_points)}"
    return score.state.value


def _student(
    before: FrozenStudent, after: FrozenStudent, titles: Mapping[str, str], *, policy_changed: bool
) -> StudentDifference | None:
    parts = tuple(
        PartDifference(key, title, score_in_words(one), score_in_words(other))
        for key, title in titles.items()
        if (one := before.scores.get(key, ABSENT)) != (other := after.scores.get(key, ABSENT))
    )
    letters = [row.letter.letter if row.letter else "none" for row in (before, after)]
    if not parts and before.final == after.final and letters[0] == letters[1]:
        return None
    return StudentDifference(
        enrollment_pk=before.enrollment_pk,
        name=after.name,
        final_before=before.final,
        final_after=after.final,
        letter_before=letters[0],
        letter_after=letters[1],
        parts=parts,
        why=_why(parts, before, after, policy_changed=policy_changed),
    )


def _why(
    parts: tuple[PartDifference, ...], before: FrozenStudent, after: FrozenStudent, *, policy_changed: bool
) -> str:
    """The reason in a sentence: own work, the policy, or the others."""
    reasons = [f"{part.title}: {part.before} → {part.after}" for part in parts]
    if policy_changed:
        reasons.append("the grading scheme changed")
    if not reasons and before.final == after.final:
        reasons.append("others' scores changed, and with them the rank")
    return "; ".join(reasons) or "the parts of the grade changed"
