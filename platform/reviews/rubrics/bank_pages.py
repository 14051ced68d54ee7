"""The comment bank as a page."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.models import Assignment
from reviews.models import Rubric, RubricItem
from reviews.rubrics.models import BankComment


@dataclass(frozen=True)
class BankItem:
    """An item with its comments."""

    item: RubricItem
    offered: tuple[BankComment, ...]
    removed: tuple[BankComment, ...]


@dataclass(frozen=True)
class BankPage:
    """The comment bank of an assignment; what was typed and refused comes back at its place."""

    assignment: Assignment
    items: tuple[BankItem, ...]
    refusal: str = ""
    typed: str = ""
    at_item: int = 0
    at_comment: int = 0


def bank_page(rubric: Rubric, *, refusal: str = "", typed: str = "", at_item: int = 0, at_comment: int = 0) -> BankPage:
    """The comments of each item that is marked now. Two queries."""
    items = RubricItem.objects.filter(rubric=rubric.pk).prefetch_related("bank_comments__created_by")
    return BankPage(rubric.assignment, tuple(_bank_item(item) for item in items), refusal, typed, at_item, at_comment)


def _bank_item(item: RubricItem) -> BankItem:
    comments = list(item.bank_comments.all())
    return BankItem(
        item=item,
        offered=tuple(row for row in comments if row.archived_at is None),
        removed=tuple(row for row in comments if row.archived_at is not None),
    )
