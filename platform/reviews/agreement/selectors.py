"""The page of agreement, and both readings of one submission side by side."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.db.models import Prefetch

from accounts.models import User
from assignments.models import Assignment, Kind
from courses.models import Enrollment
from courses.pages import StateChip
from reviews.agreement import figures
from reviews.agreement.access import may_see
from reviews.agreement.choice import is_chosen
from reviews.agreement.figures import ItemRow, ReaderFigures, WeekRow
from reviews.agreement.forms import SettleForm
from reviews.agreement.models import DoubleMark, DoubleReading
from reviews.agreement.stats import FEWEST, Agreement, Effect
from reviews.marking.models import Purpose, Review
from reviews.models import RubricItem
from reviews.queue.rows import latest
from submissions.texts import read_texts

STRONG, MODERATE = 0.6, 0.4


@dataclass(frozen=True)
class ReaderRow:
    """One reader. `name` is invented for a TA who looks at others."""

    name: str
    is_viewer: bool
    figures: ReaderFigures


@dataclass(frozen=True)
class PairRow:
    """Two readings in a list. Without names where the viewer may not know them."""

    reading: DoubleReading
    first: str
    second: str


@dataclass(frozen=True)
class AgreementPage:
    """How far readers agree. `reach` is the largest value of a reader's chart; `groups` above 1: effects do not all compare."""

    works: tuple[Assignment, ...]
    work: Assignment | None
    chosen: int
    read: int
    overall: Agreement
    chip: StateChip
    items: tuple[ItemRow, ...]
    weeks: tuple[WeekRow, ...]
    readers: tuple[ReaderRow, ...]
    reach: float
    groups: int
    fewest: int
    apart: tuple[PairRow, ...]
    pairs: tuple[PairRow, ...]
    is_instructor: bool


@dataclass(frozen=True)
class DoublePage:
    """Both readings, the text, and for an instructor the form that settles them; `revision` is the score's."""

    pair: PairRow
    texts: tuple[tuple[str, str], ...]
    form: SettleForm | None


def agreement_page(enrollment: Enrollment, work_slug: str = "") -> AgreementPage:
    """All readings of the offering, or of one assignment. Queries do not grow with students, readings or graders."""
    by_hand = enrollment.offering.assignments.filter(scored_elsewhere=False).exclude(kind=Kind.LAB)
    works = tuple(by_hand.order_by("kind", "number"))
    work = next((row for row in works if row.slug == work_slug), None)
    wanted = [work] if work else list(works)
    readings = _readings(wanted)
    calibrations = list(
        Review.objects.filter(purpose=Purpose.CALIBRATION, submission__assignment__in=wanted).prefetch_related("marks")
    )
    overall = figures.overall(readings)
    readers = _readers(enrollment, figures.by_reader(readings, calibrations, enrollment.offering.zone))
    names = {row.figures.reader.pk: row.name for row in readers}
    pairs = tuple(_pair(row, names) for row in readings if may_see(enrollment, row))
    return AgreementPage(
        works=works,
        work=work,
        chosen=_chosen(wanted),
        read=len(readings),
        overall=overall,
        chip=kappa_chip(overall),
        items=figures.by_item(readings),
        weeks=figures.by_week(readings, enrollment.offering.zone),
        readers=readers,
        reach=_reach(readers),
        groups=figures.linked_groups(readings, calibrations),
        fewest=FEWEST,
        apart=tuple(sorted((row for row in pairs if row.reading.is_far_apart), key=_apart_order)),
        pairs=tuple(row for row in pairs if not row.reading.is_far_apart),
        is_instructor=enrollment.is_instructor,
    )


def double_page(enrollment: Enrollment, reading: DoubleReading, form: SettleForm | None = None) -> DoublePage:
    """One pair of readings. The form is there for instructors until it is settled."""
    names = {user.pk: _name_for(enrollment, user) for user in (reading.first_grader, reading.second_grader) if user}
    may_settle = enrollment.is_instructor and not reading.outcome
    titles = {mark.item.task_id: mark.title for mark in reading.marks.all()}
    texts = read_texts(reading.submission)
    return DoublePage(
        pair=_pair(reading, names),
        texts=tuple((titles.get(item, item), text) for item, text in texts.items()),
        form=(form or settle_form(reading)) if may_settle else None,
    )


def settle_form(reading: DoubleReading, data: Mapping[str, object] | None = None) -> SettleForm:
    """The form with what stands now in it, or with what came."""
    items = RubricItem.objects.filter(rubric__assignment=reading.submission.assignment_id)
    score = Review.objects.counting().filter(submission=reading.submission_id).prefetch_related("marks").first()
    stands = {f"item-{mark.item_id}": mark.score for mark in score.marks.all()} if score else {}
    initial = {"revision": score.revision if score else 0, **stands}
    return SettleForm(data, items=items, initial=initial)


def kappa_chip(agreement: Agreement) -> StateChip:
    """A word for kappa; none for so few that it means nothing."""
    if agreement.kappa is None:
        return StateChip("muted", "Not defined", "circle-slash")
    if agreement.submissions < FEWEST:
        return StateChip("muted", "Too few to tell")
    if agreement.kappa >= STRONG:
        return StateChip("pass", "Good")
    return StateChip("warn", "Moderate") if agreement.kappa >= MODERATE else StateChip("fail", "Weak")


def anonymous_order(viewer: User, other: User) -> bytes:
    """A place among the others that tells nothing, the same on each visit."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"reader {viewer.pk} {other.pk}".encode(), sha256)


def _readings(works: Sequence[Assignment]) -> list[DoubleReading]:
    marks = Prefetch("marks", DoubleMark.objects.select_related("item"))
    found = DoubleReading.objects.filter(submission__assignment__in=works)
    people = ("first_grader", "second_grader", "settled_by", "submission__assignment")
    return list(found.select_related(*people).prefetch_related(marks).order_by("-read_at", "-pk"))


def _chosen(works: Sequence[Assignment]) -> int:
    """How many of the latest submissions are chosen. Two queries."""
    return sum(is_chosen(work.assignment_pk, work.owner) for work in latest(works))


def _readers(enrollment: Enrollment, rows: Sequence[ReaderFigures]) -> tuple[ReaderRow, ...]:
    """By name for instructors; a TA's own row first, the others in an order of no meaning and without their names."""
    viewer = enrollment.user
    if enrollment.is_instructor:
        named = [ReaderRow(row.reader.name, row.reader.pk == viewer.pk, row) for row in rows]
        return tuple(sorted(named, key=lambda row: row.figures.reader.sort_name))
    own = [ReaderRow("You", is_viewer=True, figures=row) for row in rows if row.reader.pk == viewer.pk]
    others = sorted(
        (row for row in rows if row.reader.pk != viewer.pk), key=lambda row: anonymous_order(viewer, row.reader)
    )
    return (*own, *(ReaderRow(f"Reader {at}", is_viewer=False, figures=row) for at, row in enumerate(others, start=1)))


def _reach(readers: Sequence[ReaderRow]) -> float:
    ends = [
        abs(end) for row in readers for effect in (row.figures.against, row.figures.effect) for end in _ends(effect)
    ]
    ends += [abs(week.difference) for row in readers for week in row.figures.drift]
    return max(1.0, *ends) if ends else 1.0


def _ends(effect: Effect) -> list[float]:
    if effect.value is None:
        return []
    return [effect.interval.low, effect.interval.high] if effect.interval else [effect.value]


def _pair(reading: DoubleReading, names: Mapping[int, str]) -> PairRow:
    gone = "somebody who left"
    first, second = reading.first_grader_id, reading.second_grader_id
    return PairRow(reading, names.get(first, gone) if first else gone, names.get(second, gone) if second else gone)


def _name_for(enrollment: Enrollment, user: User) -> str:
    if enrollment.is_instructor:
        return user.name
    return "You" if user.pk == enrollment.user_id else "Another reader"


def _apart_order(row: PairRow) -> tuple[bool, float]:
    """What waits for a decision first, the widest first."""
    return bool(row.reading.outcome), -float(max(abs(row.reading.difference), row.reading.widest))
