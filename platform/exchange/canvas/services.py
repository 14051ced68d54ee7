"""Remembering Canvas's columns, and which number of ours belongs into which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from exchange.canvas.columns import Column
from exchange.canvas.reading import CanvasExport
from exchange.models import CanvasColumn
from exchange.tables import name_key


class MappingRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """Columns that cannot be assigned so; the text says why. Nothing was changed."""


@transaction.atomic
def remember(*, offering: Offering, export: CanvasExport, columns: Sequence[Column], by: User) -> int:
    """Keep the columns of Canvas's export; returns how many are new.

    What was assigned stays so. A new column that is called like one of ours, which has none yet, is assigned to it.
    """
    Offering.objects.select_for_update().get(pk=offering.pk)
    stored = {row.canvas_id: row for row in CanvasColumn.objects.filter(offering=offering)}
    taken = {row.key for row in stored.values()}
    free = {name_key(column.title): column.key for column in reversed(columns) if column.key not in taken}
    free.pop("", None)  # a name of signs alone is like no other
    new = 0
    for found in export.columns:
        row = stored.get(found.canvas_id)
        if row is None:
            new += 1
            row = CanvasColumn(offering=offering, canvas_id=found.canvas_id, key=free.pop(name_key(found.title), ""))
        row.title, row.values, row.read_at = found.title, found.values, clock.now()
        row.points = found.points.quantize(Decimal("0.01")) if found.points is not None else None
        row.save()
    after = f"{len(export.columns)} columns, {new} of them new"
    record(actor=by, action="read Canvas's columns", subject=offering, offering_id=offering.pk, after=after)
    return new


@transaction.atomic
def assign(*, offering: Offering, keys: Mapping[int, str], by: User) -> int:
    """Say which number of ours (by its key, or empty) belongs into each column (by its id); returns how many changed.

    Raises `MappingRefused` where two columns are to hold the same number.
    """
    Offering.objects.select_for_update().get(pk=offering.pk)
    rows = list(CanvasColumn.objects.filter(offering=offering))
    after = {row.pk: keys.get(row.pk, row.key) for row in rows}
    wanted = [key for key in after.values() if key]
    if twice := next((key for key in wanted if wanted.count(key) > 1), None):
        titles = " and ".join(f"“{row.header}”" for row in rows if after[row.pk] == twice)
        raise MappingRefused(f"Two columns of Canvas would hold the same number: {titles}. Choose one of them.")
    changed = [row for row in rows if row.key != after[row.pk]]
    CanvasColumn.objects.filter(pk__in=[row.pk for row in changed]).update(
        key=""
    )  # keys are free for those that swap them
    for row in changed:
        row.key = after[row.pk]
        row.save(update_fields=["key"])
    if changed:
        words = "; ".join(f"{row.header}: {row.key or 'none'}" for row in changed)
        record(actor=by, action="assigned Canvas's columns", subject=offering, offering_id=offering.pk, after=words)
    return len(changed)
