"""What somebody should look at before scores are released: a function a concern, in the order of the page.

None of them stops a release; each says how many and where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.apps import apps

from reviews.marking.models import Review
from reviews.marking.services import number
from reviews.releases.plan import Plan, PlanRow


@dataclass(frozen=True)
class Concern:
    """Something to look at: what it is, and a line for each case."""

    title: str
    lines: tuple[str, ...]


def readings_that_disagree(plan: Plan) -> Concern:
    """Second readings whose total is another one than the first reading's. One query."""
    by_submission = {row.submission.pk: row for row in plan.rows if row.submission is not None}
    reviews = Review.objects.filter(submission__in=by_submission).prefetch_related("marks")
    totals: dict[int, dict[str, Decimal]] = {}
    for review in reviews:
        marks = sum((mark.score for mark in review.marks.all()), Decimal(0))
        totals.setdefault(review.submission_id, {})[review.purpose] = marks
    apart = [
        (by_submission[pk], both) for pk, both in totals.items() if len(both) == 2 and both["first"] != both["second"]
    ]
    lines = (f"{_name(row)}: {number(both['first'])} and {number(both['second'])}" for row, both in apart)
    return Concern("Two readings that disagree", tuple(lines))


def open_similar_pairs(plan: Plan) -> Concern:
    """Pairs of similar texts that nobody has looked at yet, where the product compares texts. One query."""
    model = apps.all_models["reviews"].get("similarpair")
    if model is None:
        return Concern("Similar pairs still open", ())
    pairs = model._default_manager.filter(assignment=plan.assignment, status="open")  # noqa: SLF001 - Django's name for any model's rows
    named = pairs.values_list("first__enrollment__user__name", "second__enrollment__user__name")
    return Concern("Similar pairs still open", tuple(f"{first} and {second}" for first, second in named))


CONCERNS: Sequence[Callable[[Plan], Concern]] = (readings_that_disagree, open_similar_pairs)


def concerns_of(plan: Plan) -> tuple[Concern, ...]:
    """Those that apply."""
    return tuple(concern for concern in (ask(plan) for ask in CONCERNS) if concern.lines)


def _name(row: PlanRow) -> str:
    return row.enrollment.user.name
