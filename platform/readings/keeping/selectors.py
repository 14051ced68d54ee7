"""What the pages around the list show: dates before they are set, papers before they are imported, the copy before it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from courses.models import Offering
from readings.keeping.arranging import dates_on, next_day, next_days, to_copy
from readings.keeping.bibtex import BibTeXRefused, ReadEntry, read_bibtex
from readings.keeping.dates import summaries_by_assignment
from readings.keeping.duplicates import duplicates_of
from readings.keeping.entry import Question
from readings.keeping.facts import PaperFacts
from readings.keeping.forms import BibTeXForm, PaperForm, TargetForm, WeeksForm
from readings.keeping.schedule import WeeklyDay, end_of_day, kept, until_kept, weekly
from readings.models import Reading


@dataclass(frozen=True)
class WeekRow:
    """A day of the row, and the paper that would be due on it; without one it is skipped. `summaries` were handed in for it."""

    day: date
    skipped: bool
    recess: str
    number: int = 0
    title: str = ""
    due_at: datetime | None = None
    before: datetime | None = None
    summaries: int = 0

    @property
    def changes(self) -> bool:
        """Whether the paper's due date would be another one."""
        return self.before is not None and self.before != self.due_at


@dataclass(frozen=True)
class WeeksShown:
    """A row of due dates before it is set."""

    form: WeeksForm
    first: date | None
    rows: tuple[WeekRow, ...]

    @property
    def days(self) -> list[date]:
        """The days that would be due dates."""
        return [row.day for row in self.rows if not row.skipped]

    @property
    def told(self) -> str:
        """The days as a hidden field names them."""
        return " ".join(day.isoformat() for day in self.days)

    def was_seen(self, posted: Mapping[str, str]) -> bool:
        """Whether the person saw exactly these days before they pressed the button."""
        return not self.form.errors and posted.get("seen_days") == self.told


@dataclass(frozen=True)
class DatesPage(WeeksShown):
    """The due dates of the list."""

    readings: int
    question: Question | None = None
    failure: str = ""

    @property
    def changes(self) -> int:
        """How many due dates would be others."""
        return sum(row.changes for row in self.rows)


@dataclass(frozen=True)
class CopyPage(WeeksShown):
    """The papers that another offering would get; without `target` the person has no other offering to copy to."""

    targets: TargetForm
    target: Offering | None
    there_already: int
    failure: str = ""


@dataclass(frozen=True)
class ImportRow:
    """An entry of the file. `facts` is None where something is wrong with it, which `problem` says."""

    index: int
    key: str
    line: int
    facts: PaperFacts | None
    problem: str
    duplicate: str
    picked: bool


@dataclass(frozen=True)
class ImportPage:
    """BibTeX before it is imported. `of` names the text that the rows were read from."""

    form: BibTeXForm
    text: str = ""
    of: str = ""
    rows: tuple[ImportRow, ...] = ()
    failure: str = ""
    first_due: date | None = None

    @property
    def good(self) -> int:
        """How many entries can be imported."""
        return sum(row.facts is not None for row in self.rows)

    @property
    def picked(self) -> list[PaperFacts]:
        """The papers that are ticked."""
        return [row.facts for row in self.rows if row.picked and row.facts is not None]


def dates_page(
    offering: Offering, form: WeeksForm, *, question: Question | None = None, failure: str = ""
) -> DatesPage:
    """The list's due dates as the form would set them. Three queries."""
    readings = list(Reading.objects.of(offering).listed())
    summaries = summaries_by_assignment(reading.assignment_id for reading in readings)
    first = _first(form) or (offering.day_of(readings[0].assignment.due_at) if readings else next_day(offering))
    rows = _weeks(offering, _row(offering, form, first, len(readings)), readings, summaries)
    return DatesPage(form, first, rows, len(readings), question, failure)


def copy_page(source: Offering, targets: TargetForm, form: WeeksForm, *, failure: str = "") -> CopyPage:
    """What the chosen offering would get, and when it would be due there."""
    target = targets.offering
    if target is None:
        return CopyPage(form, None, (), targets, None, 0, failure)
    missing = to_copy(source, target)
    first = _first(form) or next_day(target)
    rows = _weeks(target, _row(target, form, first, len(missing)), missing, None)
    listed = Reading.objects.of(source).listed().count()
    return CopyPage(form, first, rows, targets, target, listed - len(missing), failure)


def import_page(offering: Offering, form: BibTeXForm, picks: Collection[str] | None = None) -> ImportPage:
    """The entries of the text. Without `picks`, by index, all are ticked that are good and not on the list yet."""
    if not form.is_bound:
        return ImportPage(form)
    text = form.cleaned_data.get("text", "") if form.is_valid() else form.data.get("text", "")
    if not form.is_valid():
        return ImportPage(
            form, text, failure=" ".join(str(error) for errors in form.errors.values() for error in errors)
        )
    try:
        entries = read_bibtex(text)
    except BibTeXRefused as refusal:
        return ImportPage(form, text, failure=str(refusal))
    rows = tuple(_import_rows(offering, entries, picks))
    return ImportPage(form, text, digest(text), rows, first_due=next_day(offering))


def digest(text: str) -> str:
    """A name for a text, so that ticks are never read as those of another one."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode(errors="replace")).hexdigest()


def _import_rows(offering: Offering, entries: Sequence[ReadEntry], picks: Collection[str] | None) -> list[ImportRow]:
    there, rows, seen = list(Reading.objects.of(offering)), [], dict[str, int]()
    day = next_days(offering, 1)
    for index, entry in enumerate(entries):
        facts, problem = _checked(offering, entry, day)
        duplicate = ""
        if facts is not None:
            found = duplicates_of(facts, there)
            twin = seen.get(facts.title.casefold())
            duplicate = found[0].sentence if found else f"The same title as entry {twin}." if twin else ""
            seen.setdefault(facts.title.casefold(), index + 1)
        picked = facts is not None and (not duplicate if picks is None else str(index) in picks)
        rows.append(ImportRow(index, entry.key, entry.line, facts, problem, duplicate, picked))
    return rows


def _checked(offering: Offering, entry: ReadEntry, day: Sequence[date]) -> tuple[PaperFacts | None, str]:
    """The entry's data as the form for one paper would take them, or what is wrong with them."""
    if entry.facts is None:
        return None, entry.problem
    dates = dates_on(offering, day[0])
    posted = {name: "" if value is None else value for name, value in asdict(entry.facts).items()}
    form = PaperForm(offering, {**posted, **asdict(dates)}, dates=dates)
    if form.is_valid():
        return form.facts, ""
    name, errors = next(iter(form.errors.items()))
    return None, f"{form.fields[name].label or name.capitalize()}: {errors[0]}"


def _first(form: WeeksForm) -> date | None:
    return form.cleaned_data.get("first") if form.is_bound and not form.errors else None


def _row(offering: Offering, form: WeeksForm, first: date, count: int) -> list[WeeklyDay]:
    skip = form.skipped if form.is_bound else None
    return until_kept(weekly(first, list(offering.recesses.all()), skip), count)


def _weeks(
    offering: Offering, row: Sequence[WeeklyDay], readings: Sequence[Reading], summaries: dict[int, int] | None
) -> tuple[WeekRow, ...]:
    """Each kept day with its reading. Without `summaries` the readings are new there, and have no date so far."""
    paired = dict(zip(kept(row), readings, strict=False))
    return tuple(_week(offering, day, paired.get(day.day), number, summaries) for number, day in _numbered(row))


def _numbered(row: Sequence[WeeklyDay]) -> list[tuple[int, WeeklyDay]]:
    return [(sum(not day.skipped for day in row[: index + 1]), day) for index, day in enumerate(row)]


def _week(
    offering: Offering, day: WeeklyDay, reading: Reading | None, number: int, summaries: dict[int, int] | None
) -> WeekRow:
    if reading is None:
        return WeekRow(day.day, skipped=True, recess=day.recess)
    return WeekRow(
        day=day.day,
        skipped=False,
        recess=day.recess,
        number=number,
        title=reading.paper.title,
        due_at=end_of_day(day.day, offering.zone),
        before=reading.assignment.due_at if summaries is not None else None,
        summaries=(summaries or {}).get(reading.assignment_id, 0),
    )
