"""What somebody should look at before scores are released: a function a concern, in the order of the page.

None of them stops a release; each says how many and who. A part of the product that may not be there is asked by its table's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps

from reviews.marking.models import Review
from reviews.marking.services import number
from reviews.releases.plan import Plan


@dataclass(frozen=True)
class Concern:
    """Something to look at: what it is, and a line for each case."""

    title: str
    lines: tuple[str, ...]


def readings_that_disagree(plan: Plan) -> Concern:
    """Second readings whose total is another one than the first reading's, and that no instructor has settled."""
    names = {row.submission.pk: row.submission.who for row in plan.rows if row.submission is not None}
    totals: dict[int, dict[str, Decimal]] = {}
    for review in Review.objects.filter(submission__in=names).prefetch_related("marks"):
        marks = sum((mark.score for mark in review.marks.all()), Decimal(0))
        totals.setdefault(review.submission_id, {})[review.purpose] = marks
    settled = set(_rows("doublereading").exclude(outcome="").values_list("submission", flat=True))
    apart = {pk: both for pk, both in totals.items() if len(both) == 2 and both["first"] != both["second"]}
    lines = (
        f"{names[pk]}: {number(both['first'])} and {number(both['second'])}"
        for pk, both in apart.items()
        if pk not in settled
    )
    return Concern("Two readings that disagree", tuple(lines))


def open_similar_pairs(plan: Plan) -> Concern:
    """Pairs of similar texts that nobody has looked at yet."""
    pairs = _rows("similarpair").filter(assignment=plan.assignment, status="open")
    named = pairs.values_list("first__enrollment__user__name", "second__enrollment__user__name")
    return Concern("Similar pairs still open", tuple(f"{first} and {second}" for first, second in named))


CONCERNS: Sequence[Callable[[Plan], Concern]] = (readings_that_disagree, open_similar_pairs)


def concerns_of(plan: Plan) -> tuple[Concern, ...]:
    """Those that apply."""
    return tuple(concern for concern in (ask(plan) for ask in CONCERNS) if concern.lines)


class _NoRows:
    """Stands for the rows of a table that this product does not have."""

    def exclude(self, **_: object) -> _NoRows:
        """Still none."""
        return self

    filter = exclude

    def values_list(self, *_: str, **__: object) -> tuple[()]:
        """None."""
        return ()


def _rows(name: str) -> Any:
    model = apps.all_models["reviews"].get(name)
    return _NoRows() if model is None else model._default_manager.all()  # noqa: SLF001 - Django's name for any model's rows
