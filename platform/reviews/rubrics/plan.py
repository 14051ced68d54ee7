"""What a new rubric does to marks that stand: the dry run. Read by the page, and carried out by the service, so both say the same.

The rules: a mark is a copy and stays as it was given, unless marks are re-applied. Then a mark with a level takes the points that
its level's key gives now, with the item's title and points. A mark without a level stays, and so does one whose level or item is
gone. Nothing is rescaled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from assignments.models import Assignment
from reviews.marking.models import Mark, Review
from reviews.marking.scores import HandScore, hand_scores, latest_submissions
from reviews.models import Rubric
from reviews.regrades.changes import Direction, direction
from reviews.rubrics.spec import ItemSpec, RubricSpec, spec_of
from reviews.rubrics.words import differences


@dataclass(frozen=True)
class Remark:
    """A mark and what re-applying makes of it."""

    mark: Mark
    title: str
    points: Decimal
    score: Decimal


@dataclass(frozen=True)
class StudentChange:
    """A student whose score is another one after re-applying."""

    name: str
    submission_pk: int
    before: Decimal
    before_max: Decimal
    after: Decimal
    after_max: Decimal

    @property
    def direction(self) -> Direction:
        """Up or down, by points and then by their share of all points."""
        return direction((self.before, self.before_max), (self.after, self.after_max))

    @property
    def gain(self) -> Decimal:
        """Points more, or less."""
        return self.after - self.before


@dataclass(frozen=True)
class Incomplete:
    """A student whose review lacks marks of items that are new since."""

    name: str
    submission_pk: int
    to_mark: int


@dataclass(frozen=True)
class RubricPlan:
    """What happens to one assignment. `reviews` are scored by hand now; `others` are reviews beside them that change, too."""

    assignment: Assignment
    rubric: Rubric
    before: RubricSpec
    after: RubricSpec
    changes: tuple[str, ...]
    reviews: int
    remarks: tuple[Remark, ...]
    students: tuple[StudentChange, ...]
    others: int
    incomplete: tuple[Incomplete, ...]
    stay_without_level: int
    stay_without_item: int

    @property
    def is_empty(self) -> bool:
        """Whether neither the rubric nor a mark would change."""
        return not self.changes and not self.remarks


@dataclass(frozen=True)
class Plan:
    """What one save does: to the assignment that is edited, which comes first, and to others of its kind that get the same."""

    parts: tuple[RubricPlan, ...]

    @property
    def students(self) -> int:
        """How many scores re-applying changes."""
        return sum(len(part.students) for part in self.parts)

    @property
    def remarks(self) -> int:
        """How many marks re-applying changes."""
        return sum(len(part.remarks) for part in self.parts)

    @property
    def reviews(self) -> int:
        """How many scores by hand stand on these rubrics."""
        return sum(part.reviews for part in self.parts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to save and nothing to re-apply."""
        return all(part.is_empty for part in self.parts)

    @property
    def digest(self) -> str:
        """Names this very outcome, rubrics and marks: another one means that somebody edited or graded since it was shown."""
        rubrics = [(part.rubric.pk, part.rubric.revision, part.after.to_json()) for part in self.parts]
        marks = sorted(
            (row.mark.review_id, row.mark.item_id, str(row.score), str(row.points))
            for part in self.parts
            for row in part.remarks
        )
        return ".".join(hashlib.sha256(repr(half).encode()).hexdigest() for half in (rubrics, marks))

    def is_as_seen(self, digest: str, *, with_marks: bool) -> bool:
        """Whether `digest` names this outcome; without marks, these rubrics."""
        return self.digest == digest if with_marks else self.digest.partition(".")[0] == digest.partition(".")[0]


def plan(edits: Sequence[tuple[Rubric, RubricSpec]]) -> Plan:
    """What saving these rubrics would do. Queries grow neither with the students nor with the rubrics."""
    assignments = [rubric.assignment for rubric, _ in edits]
    counting = latest_submissions(*assignments).select_related("enrollment__user")
    scores = list(hand_scores(counting.order_by("enrollment__user__sort_name", "pk")).values())
    beside = Review.objects.filter(submission__assignment__in=assignments).exclude(
        pk__in=[score.review.pk for score in scores]
    )
    others = list(beside.select_related("submission").prefetch_related("marks"))
    return Plan(tuple(_part(rubric, spec, scores, others) for rubric, spec in edits))


def remark(mark: Mark, items: Mapping[int | None, ItemSpec]) -> Remark | None:
    """What re-applying makes of a mark; None where it stays as it is. `items` by id, those that are marked afterwards."""
    item = items.get(mark.item_id)
    level = item.level(mark.level_key) if item else None
    if item is None or level is None:
        return None
    if (mark.title, mark.points, mark.score) == (item.title, item.points, level.points):
        return None
    return Remark(mark, item.title, item.points, level.points)


def remarked(mark: Mark, change: Remark | None) -> Mark:
    """The mark after that change, as a copy."""
    if change is None:
        return mark
    return Mark(
        pk=mark.pk,
        review_id=mark.review_id,
        item_id=mark.item_id,
        title=change.title,
        points=change.points,
        score=change.score,
        level_key=mark.level_key,
        comment=mark.comment,
    )


def rescored(score: HandScore, items: Mapping[int | None, ItemSpec]) -> HandScore:
    """The score as it would be after re-applying."""
    marks = tuple(remarked(mark, remark(mark, items)) for mark in score.marks)
    return replace(score, marks=marks, points=sum((mark.points for mark in marks), Decimal(0)))


def _part(
    rubric: Rubric, after: RubricSpec, all_scores: Iterable[HandScore], all_others: Iterable[Review]
) -> RubricPlan:
    scores = [row for row in all_scores if row.submission.assignment_id == rubric.assignment_id]
    others = [row for row in all_others if row.submission.assignment_id == rubric.assignment_id]
    items: dict[int | None, ItemSpec] = {item.pk: item for item in after.items if item.pk is not None}
    marks = [mark for score in scores for mark in score.marks]
    beside = [found for review in others if (found := _remarks(review.marks.all(), items))]
    before = spec_of(rubric)
    return RubricPlan(
        assignment=rubric.assignment,
        rubric=rubric,
        before=before,
        after=after,
        changes=differences(before, after),
        reviews=len(scores),
        remarks=(*_remarks(marks, items), *(row for found in beside for row in found)),
        students=tuple(change for score in scores if (change := _change(score, items))),
        others=len(beside),
        incomplete=tuple(row for score in scores if (row := _incomplete(score, after))),
        stay_without_level=sum(mark.item_id in items and _is_without_level(mark, items) for mark in marks),
        stay_without_item=sum(mark.item_id not in items for mark in marks),
    )


def _remarks(marks: Iterable[Mark], items: Mapping[int | None, ItemSpec]) -> tuple[Remark, ...]:
    return tuple(found for mark in marks if (found := remark(mark, items)))


def _is_without_level(mark: Mark, items: Mapping[int | None, ItemSpec]) -> bool:
    return items[mark.item_id].level(mark.level_key) is None


def _change(before: HandScore, items: Mapping[int | None, ItemSpec]) -> StudentChange | None:
    after = rescored(before, items)
    if (before.total, before.points) == (after.total, after.points):
        return None
    submission = before.submission
    return StudentChange(submission.who, submission.pk, before.total, before.points, after.total, after.points)


def _incomplete(score: HandScore, after: RubricSpec) -> Incomplete | None:
    marked = {mark.item_id for mark in score.marks}
    missing = sum(item.pk is None or item.pk not in marked for item in after.items)
    return Incomplete(score.submission.who, score.submission.pk, missing) if missing else None
