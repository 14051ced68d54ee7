"""The page for Canvas: what can be sent, what Canvas has, and who cannot be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from courses.models import Enrollment, Offering
from exchange.canvas.columns import Column, columns_of
from exchange.canvas.reading import same
from exchange.canvas.table import Sheet, canvas_sheet, canvas_value, with_ids, without_ids
from exchange.models import CanvasColumn
from exchange.numbers import Numbers, Seal, numbers_of


@dataclass(frozen=True)
class Sendable:
    """A column of ours. `target` is Canvas's own; without one it makes a new assignment there. `differ` is how many students have
    another value there, as far as Canvas's export was read."""

    column: Column
    target: CanvasColumn | None
    differ: int | None

    @property
    def chosen(self) -> bool:
        """Whether the page ticks it: known there, and changed."""
        return bool(self.target and self.differ)


@dataclass(frozen=True)
class CanvasPage:
    """`targets` are all columns that were read from Canvas; `students` those who can be sent."""

    sendable: tuple[Sendable, ...]
    targets: tuple[CanvasColumn, ...]
    students: int
    without_ids: tuple[Enrollment, ...]
    seal: Seal | None
    refusal: str


def canvas_page(offering: Offering, *, refusal: str = "") -> CanvasPage:
    """The number of queries does not grow with the class."""
    numbers, targets = numbers_of(offering), tuple(CanvasColumn.objects.filter(offering=offering))
    known = {row.key: row for row in targets if row.key}
    return CanvasPage(
        sendable=tuple(_sendable(numbers, column, known.get(column.key)) for column in columns_of(numbers)),
        targets=targets,
        students=len(with_ids(numbers.students)),
        without_ids=without_ids(numbers.students),
        seal=numbers.seal,
        refusal=refusal,
    )


def canvas_table(offering: Offering, keys: Iterable[str]) -> Sheet:
    """The columns with these keys, in our order; unknown keys are left out."""
    numbers, wanted = numbers_of(offering), set(keys)
    known = {row.key: row for row in CanvasColumn.objects.filter(offering=offering).exclude(key="")}
    return canvas_sheet(numbers, [column for column in columns_of(numbers) if column.key in wanted], known)


def _sendable(numbers: Numbers, column: Column, target: CanvasColumn | None) -> Sendable:
    if target is None:
        return Sendable(column, None, None)
    values = (
        (canvas_value(numbers, row.pk, column, target), target.values.get(str(row.pk), ""))
        for row in with_ids(numbers.students)
    )
    return Sendable(column, target, sum(not same(ours, theirs) for ours, theirs in values if ours is not None))
