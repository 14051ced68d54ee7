"""The fields of the queue's page: each item with its levels and comment, and another grader's marks beside them where two met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from reviews.marking.models import Review
from reviews.marking.services import number
from reviews.models import RubricItem
from reviews.queue.drafts import Draft, draft_of


@dataclass(frozen=True)
class LevelChoice:
    """A level as a button; `key` gives it on the keyboard."""

    value: str
    key: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ItemRow:
    """An item to mark. Without levels its points are typed. `theirs` are another grader's points, where two met."""

    item: RubricItem
    levels: tuple[LevelChoice, ...]
    value: str
    comment: str
    saved_comments: tuple[str, ...]
    theirs: str = ""
    their_comment: str = ""


@dataclass(frozen=True)
class Conflict:
    """Two graders met: what the other one saved."""

    grader: str
    saved: Draft
    total: Decimal


@dataclass(frozen=True)
class Fields:
    """All that can be filled in; `total` are the points that stand there, of `most`."""

    rows: tuple[ItemRow, ...]
    draft: Draft
    total: Decimal
    most: Decimal
    conflict: Conflict | None

    @property
    def keys(self) -> str:
        """The keys of all levels, each once."""
        return " ".join(sorted({level.key for row in self.rows for level in row.levels if level.key}))


def fields_of(
    items: list[RubricItem], draft: Draft, bank: Mapping[int, tuple[str, ...]], met: Review | None = None
) -> Fields:
    """The fields with what stands in `draft`; `met` is the review that another grader saved meanwhile."""
    saved = draft_of(met) if met else None
    if saved:
        draft = replace(draft, revision=saved.revision)  # from now on the grader has seen it
    return Fields(
        rows=tuple(_row(item, draft, bank.get(item.pk, ()), saved) for item in items),
        draft=draft,
        total=_sum(draft.marks.values()),
        most=sum((item.points for item in items), Decimal(0)),
        conflict=Conflict(_grader(met), saved, _sum(saved.marks.values())) if met and saved else None,
    )


def _row(item: RubricItem, draft: Draft, saved_comments: tuple[str, ...], saved: Draft | None) -> ItemRow:
    value = draft.marks.get(item.pk, "")
    return ItemRow(
        item=item,
        levels=_levels(item, value),
        value=value,
        comment=draft.comments.get(item.pk, ""),
        saved_comments=saved_comments,
        theirs=saved.marks.get(item.pk, "–") if saved else "",
        their_comment=saved.comments.get(item.pk, "") if saved else "",
    )


def _levels(item: RubricItem, value: str) -> tuple[LevelChoice, ...]:
    """Fewest points first. Points that are no level's, from a rubric that changed or an import, stay a choice."""
    levels = sorted(item.levels.all(), key=lambda level: level.points)
    if not levels:
        return ()
    chosen = _decimal(value)
    choices = [LevelChoice(number(one.points), one.key, one.label, one.points == chosen) for one in levels]
    if chosen is not None and not any(choice.chosen for choice in choices):
        choices.append(LevelChoice(value, "", "As it stands", chosen=True))
    return tuple(choices)


def _grader(review: Review) -> str:
    return review.grader.name if review.grader else "Another grader"


def _sum(values: Iterable[str]) -> Decimal:
    found = (_decimal(value) for value in values)
    return sum((value for value in found if value is not None), Decimal(0))


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
