"""The audit log as a page and as rows of a table: an offering's events by the filters in the address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from audit.models import AuditEvent
from courses.models import Enrollment
from web.forms_audit import AuditFilter
from web.selectors.audit_subjects import KINDS, OF_SCORES, Subject, about_students, subjects_of

PER_PAGE = 50


@dataclass(frozen=True)
class AuditRow:
    """One event with its subject in words."""

    event: AuditEvent
    subject: Subject


@dataclass(frozen=True)
class AuditPage:
    """One page of the log, the latest first. `older` is the cursor of the next page, None on the last one."""

    form: AuditFilter
    rows: tuple[AuditRow, ...]
    older: int | None
    is_first: bool
    is_filtered: bool
    everything: bool


def audit_page(enrollment: Enrollment, data: Any) -> AuditPage:
    """What this member of staff may read, by the filters in `data` (a GET). The number of queries does not grow with the log."""
    allowed = events_for(enrollment)
    form = AuditFilter(data, *_choices(allowed))
    found = filtered(enrollment, allowed, form)
    before = _cursor(data.get("before", ""))
    listed = list((found.written_before(before) if before else found).order_by("-pk")[: PER_PAGE + 1])
    return AuditPage(
        form=form,
        rows=rows_of(listed[:PER_PAGE]),
        older=listed[PER_PAGE - 1].pk if len(listed) > PER_PAGE else None,
        is_first=not before,
        is_filtered=bool(form.wanted()),
        everything=enrollment.is_instructor,
    )


def events_for(enrollment: Enrollment) -> Any:
    """Instructors read everything of the offering; teaching assistants what concerns scores."""
    events = AuditEvent.objects.filter(offering_id=enrollment.offering_id)
    return events if enrollment.is_instructor else events.of_kinds(OF_SCORES)


def filtered(enrollment: Enrollment, events: Any, form: AuditFilter) -> Any:
    """The events that the form asks for; a filter that cannot be read is left out, and the page says so."""
    wanted = form.wanted()
    zone = enrollment.offering.zone
    first, last = wanted.get("first"), wanted.get("last")
    events = events.between(
        first and datetime.combine(first, time.min, tzinfo=zone),
        last and datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone),
    )
    exact = {"who": "actor_name", "action": "action", "kind": "subject_type"}
    events = events.filter(**{field: wanted[name] for name, field in exact.items() if name in wanted})
    if "student" in wanted:
        events = events.filter(about_students(_people(enrollment, wanted["student"])))
    return events.saying(wanted["text"]) if "text" in wanted else events


def rows_of(events: list[AuditEvent]) -> tuple[AuditRow, ...]:
    """The events with their subjects in words."""
    subjects = subjects_of(events)
    return tuple(
        AuditRow(
            event,
            subjects.get((event.subject_type, event.subject_id), Subject(f"{event.subject_type} {event.subject_id}")),
        )
        for event in events
    )


def all_rows(events: Any, *, at_once: int = 2000) -> Iterator[AuditRow]:
    """Every event, the latest first, a few thousand at a time."""
    before: int | None = None
    while listed := list((events.written_before(before) if before else events).order_by("-pk")[:at_once]):
        yield from rows_of(listed)
        before = listed[-1].pk


def _people(enrollment: Enrollment, text: str) -> QuerySet[Enrollment]:
    named = Q(user__name__icontains=text) | Q(user__email__icontains=text)
    return Enrollment.objects.filter(named, offering=enrollment.offering)


def _choices(events: Any) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Who did something, what was done, and to what, as far as the viewer may know. One query."""
    found = set(events.order_by().values_list("actor_name", "action", "subject_type").distinct())
    kinds = sorted({kind for _, _, kind in found})
    named = [(kind, KINDS[kind].word if kind in KINDS else kind) for kind in kinds]
    return sorted({who for who, _, _ in found}), sorted({action for _, action, _ in found}), named


def _cursor(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
