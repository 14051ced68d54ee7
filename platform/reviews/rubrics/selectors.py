"""The pages of rubrics: the list, one rubric, and the dry run of an edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Sum

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from reviews.marking.models import Review
from reviews.models import Rubric, RubricItem
from reviews.rubrics.access import sources_for
from reviews.rubrics.editor import marks_of
from reviews.rubrics.models import BankComment, RubricChange
from reviews.rubrics.plan import Plan, RubricPlan, plan
from reviews.rubrics.rules import BY_HAND, of_its_kind
from reviews.rubrics.spec import RubricSpec, spec_of
from reviews.rubrics.typed import TypedRubric


@dataclass(frozen=True)
class RubricRow:
    """An assignment that is marked by hand."""

    assignment: Assignment
    items: int
    points: Decimal
    reviews: int


@dataclass(frozen=True)
class RubricsPage:
    """All of an offering."""

    rows: tuple[RubricRow, ...]


@dataclass(frozen=True)
class ItemView:
    """An item for reading, with how many marks and comments it has."""

    item: RubricItem
    marks: int
    comments: int


@dataclass(frozen=True)
class RubricPage:
    """One rubric. `now` is what re-applying it as it stands would do: marks that were left, and reviews that lack marks."""

    assignment: Assignment
    items: tuple[ItemView, ...]
    retired: tuple[ItemView, ...]
    points: Decimal
    now: RubricPlan
    changes: tuple[RubricChange, ...]
    sources: tuple[Rubric, ...]
    is_instructor: bool


@dataclass(frozen=True)
class PreviewPage:
    """The dry run: what saving does, and the form's fields, so that nothing has to be typed again."""

    assignment: Assignment
    typed: TypedRubric
    outcome: Plan
    warnings: tuple[str, ...]
    released: bool
    others: int
    reason: str
    refusal: str


def rubrics_page(enrollment: Enrollment) -> RubricsPage:
    """Three queries."""
    by_hand = enrollment.offering.assignments.filter(kind__in=BY_HAND, scored_elsewhere=False)
    assignments = list(by_hand.order_by("kind", "number"))
    items = RubricItem.objects.filter(rubric__assignment__in=assignments).order_by()
    sums = items.values_list("rubric__assignment").annotate(Count("pk"), Sum("points"))
    counted = {pk: (count, points) for pk, count, points in sums}
    reviews = Review.objects.counting().filter(submission__assignment__in=assignments).order_by()
    marked = dict(reviews.values_list("submission__assignment").annotate(Count("pk")))
    return RubricsPage(
        tuple(
            RubricRow(row, *counted.get(row.pk, (0, Decimal(0))), reviews=marked.get(row.pk, 0)) for row in assignments
        )
    )


def rubric_page(enrollment: Enrollment, rubric: Rubric) -> RubricPage:
    """One rubric for staff. Queries grow neither with the items nor with the students."""
    spec = spec_of(rubric)
    marks = marks_of(rubric)
    comments = BankComment.objects.offered().filter(item__rubric=rubric.pk).order_by()
    counted = dict(comments.values_list("item").annotate(Count("pk")))
    items = list(RubricItem.ever.filter(rubric=rubric.pk).prefetch_related("levels"))
    views = [ItemView(item, marks.get(item.pk, 0), counted.get(item.pk, 0)) for item in items]
    changes = RubricChange.objects.filter(edits__rubric=rubric.pk).select_related("made_by", "reverted_by")
    return RubricPage(
        assignment=rubric.assignment,
        items=tuple(view for view in views if view.item.retired_at is None),
        retired=tuple(view for view in views if view.item.retired_at is not None and view.marks),
        points=spec.points,
        now=plan([(rubric, spec)]).parts[0],
        changes=tuple(changes),
        sources=tuple(sources_for(enrollment.user, rubric)) if enrollment.is_instructor else (),
        is_instructor=enrollment.is_instructor,
    )


def preview_page(
    rubric: Rubric, typed: TypedRubric, outcome: Plan, *, reason: str = "", refusal: str = ""
) -> PreviewPage:
    """The dry run of what was typed. One query beside those of the outcome."""
    now = clock.now()
    return PreviewPage(
        assignment=rubric.assignment,
        typed=typed,
        outcome=outcome,
        warnings=_warnings(outcome.parts[0].after),
        released=any(part.assignment.is_released(now) for part in outcome.parts),
        others=of_its_kind(rubric.assignment).count(),
        reason=reason,
        refusal=refusal,
    )


def _warnings(spec: RubricSpec) -> tuple[str, ...]:
    """What is allowed and seldom meant."""
    short = [item for item in spec.items if item.levels and max(level.points for level in item.levels) < item.points]
    return tuple(f"No level of “{item.title}” gives all of its points." for item in short)
