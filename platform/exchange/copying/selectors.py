"""The page of a copy: the form, and each date of the old term beside the one of the new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django import forms

from exchange.copying.forms import DatesForm, FrameForm
from exchange.copying.spec import Frame, Source


@dataclass(frozen=True)
class SessionRow:
    """A class meeting. `trouble` says where its new day cannot be one of class."""

    topic: str
    week: str
    before: date
    field: forms.BoundField
    trouble: str


@dataclass(frozen=True)
class WorkRow:
    """An assignment."""

    label: str
    opens_before: datetime
    due_before: datetime
    opens: forms.BoundField
    due: forms.BoundField
    trouble: str


@dataclass(frozen=True)
class CopyPage:
    """Without dates only the first half is shown. `troubles` is how many of them need a look."""

    form: FrameForm
    source: Source
    dates: DatesForm | None
    sessions: tuple[SessionRow, ...]
    work: tuple[WorkRow, ...]
    refusal: str

    @property
    def troubles(self) -> int:
        """Of sessions and work."""
        return sum(bool(row.trouble) for row in self.sessions) + sum(bool(row.trouble) for row in self.work)


def copy_page(
    form: FrameForm, source: Source, dates: DatesForm | None = None, frame: Frame | None = None, refusal: str = ""
) -> CopyPage:
    """No query of its own."""
    sessions = tuple(_sessions(source, dates, frame)) if dates else ()
    work = tuple(_work(source, dates, frame)) if dates else ()
    return CopyPage(form, source, dates, sessions, work, refusal)


def _sessions(source: Source, dates: DatesForm, frame: Frame | None) -> Iterator[SessionRow]:
    for row in source.sessions:
        field = dates[f"session_{row.pk}"]
        day = _day(field)
        yield SessionRow(row.topic, row.week_label, row.date, field, _trouble(day, frame, class_day=True))


def _work(source: Source, dates: DatesForm, frame: Frame | None) -> Iterator[WorkRow]:
    for row in source.assignments:
        opens, due = dates[f"opens_{row.pk}"], dates[f"due_{row.pk}"]
        trouble = _trouble(_day(due), frame, class_day=False)
        yield WorkRow(row.label, row.opens_at, row.due_at, opens, due, trouble)


def _day(field: forms.BoundField) -> date | None:
    """The day in a field, as it is suggested or typed."""
    value = field.value()
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _trouble(day: date | None, frame: Frame | None, *, class_day: bool) -> str:
    if day is None or frame is None:
        return ""
    if inside := next((each for each in frame.breaks if each.holds(day)), None):
        return f"in {inside.name}"
    if class_day and day < frame.starts_on:
        return "before the first class day"
    return "after the last day" if day > frame.ends_on else ""
