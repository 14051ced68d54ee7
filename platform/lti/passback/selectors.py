"""What would be sent, and how what was sent fared."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from courses.models import Enrollment
from lti.models import Context, Member, Person, ScoreMessage
from lti.passback.values import Column, Values, values_of


@dataclass(frozen=True)
class Change:
    """One student's score in one column. `before` is what the platform took last; None is nothing there, or work without a score."""

    column: Column
    student: Enrollment
    before: Decimal | None
    after: Decimal | None
    was_sent: bool


@dataclass(frozen=True)
class Sendable:
    """A column, and how many of its scores the platform does not have so. `waiting` and `failed` are of what was asked for before."""

    column: Column
    changes: int
    sent: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class PassbackPage:
    """`unknown` students cannot be sent: the platform's id for them is not known. `troubles` are of single students."""

    context: Context
    sealed: str
    sendable: tuple[Sendable, ...]
    unknown: tuple[Enrollment, ...]
    troubles: tuple[ScoreMessage, ...]
    keys: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    fingerprint: str = ""
    refusal: str = ""


def passback_page(context: Context, keys: Collection[str] = (), *, refusal: str = "") -> PassbackPage:
    """With `keys`, what sending these columns would change. The number of queries does not grow with the class."""
    assert context.offering is not None, "only a linked course has scores"
    values, subjects = values_of(context.offering), subjects_of(context)
    messages = list(ScoreMessage.objects.filter(line__context=context).select_related("line", "enrollment__user"))
    all_changes = changes_of(values, subjects, messages)
    chosen = tuple(row for row in all_changes if row.column.key in set(keys))
    return PassbackPage(
        context=context,
        sealed=values.sealed,
        sendable=tuple(_sendable(column, all_changes, messages) for column in values.columns),
        unknown=tuple(row for row in values.students if row.pk not in subjects),
        troubles=tuple(row for row in messages if row.trouble),
        keys=tuple(column.key for column in values.columns if column.key in set(keys)),
        changes=chosen,
        fingerprint=fingerprint(chosen),
        refusal=refusal,
    )


def subjects_of(context: Context) -> dict[int, str]:
    """The platform's id of everyone in the class whom it is known for, by enrollment. Two queries."""
    linked = Person.objects.filter(
        platform=context.deployment.platform, user__enrollments__offering=context.offering
    ).values_list("user__enrollments__pk", "user__enrollments__offering_id", "subject")
    found = {pk: subject for pk, offering, subject in linked if offering == context.offering_id}
    members = Member.objects.filter(context=context, active=True, enrollment__isnull=False)
    return found | {row.enrollment_id: row.subject for row in members if row.enrollment_id}


def changes_of(values: Values, subjects: Mapping[int, str], messages: Collection[ScoreMessage]) -> tuple[Change, ...]:
    """Scores that the platform does not have so, column by column in the order of a class list."""
    sent = {(row.line.key, row.enrollment_id): row for row in messages if row.sent_at}
    found = []
    for column in values.columns:
        for student in values.students:
            place = (column.key, student.pk)
            if place not in values.points or student.pk not in subjects:
                continue
            last, after = sent.get(place), values.points[place]
            if last is None or last.sent_points != after:
                found.append(Change(column, student, last.sent_points if last else None, after, last is not None))
    return tuple(found)


def fingerprint(changes: Collection[Change]) -> str:
    """Of what the instructor saw, so that nothing else is sent."""
    lines = sorted(f"{row.column.key}|{row.column.points}|{row.student.pk}|{row.before}|{row.after}" for row in changes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sendable(column: Column, changes: Collection[Change], messages: Collection[ScoreMessage]) -> Sendable:
    own = [row for row in messages if row.line.key == column.key]
    return Sendable(
        column=column,
        changes=sum(row.column.key == column.key for row in changes),
        sent=sum(row.sent_at is not None for row in own),
        waiting=sum(row.send_at is not None for row in own),
        failed=sum(bool(row.trouble) and row.send_at is None for row in own),
    )
