"""Asking for scores to be sent. The rows are the outbox; nothing leaves within the request."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from lti.models import Context, Line, ScoreMessage
from lti.passback.selectors import Change, changes_of, fingerprint, subjects_of
from lti.passback.values import values_of


class PassbackRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """Scores that are not sent so; the text says why. Nothing was changed."""


@transaction.atomic
def ask_to_send(*, context: Context, keys: Collection[str], seen: str, by: User) -> int:
    """Put the changes of these columns into the outbox, if they still are what was `seen`; returns how many. Raises `PassbackRefused`."""
    Context.objects.select_for_update().get(pk=context.pk)
    if not context.line_items_url or context.offering is None:
        raise PassbackRefused(
            "The platform does not offer its gradebook for this course. Its administrator must switch on Assignment and Grade Services for "
            "Gradlab; then open Gradlab from the course once more."
        )
    messages = ScoreMessage.objects.filter(line__context=context).select_related("line")
    changes = changes_of(values_of(context.offering), subjects_of(context), list(messages))
    wanted = [row for row in changes if row.column.key in set(keys)]
    if fingerprint(wanted) != seen:
        raise PassbackRefused("Scores changed since you looked. Below is what would be sent now; nothing was sent.")
    if not wanted:
        raise PassbackRefused("Nothing differs: the platform has all of these scores as they are.")
    lines = {key: _line(context, key, wanted) for key in {row.column.key for row in wanted}}
    for row in wanted:
        asked = {"points": row.after, "send_at": clock.now(), "tries": 0, "trouble": "", "asked_by": by}
        ScoreMessage.objects.update_or_create(line=lines[row.column.key], enrollment=row.student, defaults=asked)
    titles = ", ".join(sorted(line.title for line in lines.values()))
    after = f"{len(wanted)} scores to {context}: {titles}"
    record(actor=by, action="sent scores", subject=context, offering_id=context.offering_id, after=after)
    return len(wanted)


def _line(context: Context, key: str, changes: Collection[Change]) -> Line:
    column = next(row.column for row in changes if row.column.key == key)
    line, _ = Line.objects.get_or_create(
        context=context, key=key, defaults={"title": column.title, "points": column.points}
    )
    if (line.title, line.points) != (column.title, column.points):
        line.title, line.points = column.title, column.points
        line.save(update_fields=["title", "points"])
    return line
