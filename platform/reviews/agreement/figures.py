"""The rows of two readings as arrays, and what they tell: by item, by week, by reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from accounts.models import User
from reviews.agreement import stats
from reviews.agreement.models import DoubleMark, DoubleReading
from reviews.agreement.stats import Agreement, Effect
from reviews.marking.models import Review


@dataclass(frozen=True)
class ItemRow:
    """Agreement on one item of the rubric."""

    title: str
    agreement: Agreement


@dataclass(frozen=True)
class WeekRow:
    """Agreement in the week that begins on this Monday."""

    begins_on: date
    agreement: Agreement


@dataclass(frozen=True)
class Drift:
    """A reader's mean difference to the others in one week, in points a submission."""

    begins_on: date
    n: int
    difference: float


@dataclass(frozen=True)
class ReaderFigures:
    """One reader: the difference to the other readers of the same work, and the effect once what they read is accounted for."""

    reader: User
    against: Effect
    effect: Effect
    drift: tuple[Drift, ...]


def overall(readings: Sequence[DoubleReading]) -> Agreement:
    """All items of all readings together, each as a share of its points."""
    return _agreement(_marks(readings))


def by_item(readings: Sequence[DoubleReading]) -> tuple[ItemRow, ...]:
    """A row an item, by its short name, in the rubric's order; readings that share an item share its row."""
    titles: dict[str, tuple[int, str]] = {}
    for mark in _marks(readings):
        titles.setdefault(mark.item.task_id, (mark.item.position, mark.title))
    ordered = sorted(titles, key=lambda name: titles[name])
    return tuple(
        ItemRow(titles[name][1], _agreement(mark for mark in _marks(readings) if mark.item.task_id == name))
        for name in ordered
    )


def by_week(readings: Sequence[DoubleReading], zone: ZoneInfo) -> tuple[WeekRow, ...]:
    """A row a week in which something was read twice, in order."""
    weeks = _weeks(readings, zone)
    return tuple(WeekRow(week, overall(weeks[week])) for week in sorted(weeks))


def by_reader(
    readings: Sequence[DoubleReading], calibrations: Iterable[Review], zone: ZoneInfo
) -> tuple[ReaderFigures, ...]:
    """A row a reader. Calibration readings count for the effect, too: they link readers who never read the same submission else."""
    weeks = _weeks(readings, zone)
    effects = _effects(readings, calibrations)
    readers = {user.pk: user for reading in readings for user in _both(reading)}
    return tuple(
        ReaderFigures(
            reader=user,
            against=stats.mean_effect(stats.as_floats(_differences(readings, user))),
            effect=effects[pk],
            drift=tuple(_drift(weeks, user)),
        )
        for pk, user in readers.items()
    )


def linked_groups(readings: Sequence[DoubleReading], calibrations: Iterable[Review]) -> int:
    """In how many groups the readers fall that share no submission."""
    readers, works, _ = _scores(readings, calibrations)
    return stats.linked_groups(np.asarray(readers, dtype=np.intp), np.asarray(works, dtype=np.intp))


def _agreement(marks: Iterable[DoubleMark]) -> Agreement:
    rows = [
        (float(mark.first / mark.points), float(mark.second / mark.points), mark.reading_id)
        for mark in marks
        if mark.points
    ]
    first, second, place = zip(*rows, strict=True) if rows else ((), (), ())
    return stats.agreement(stats.as_floats(first), stats.as_floats(second), np.asarray(place, dtype=np.intp))


def _marks(readings: Iterable[DoubleReading]) -> Iterable[DoubleMark]:
    return (mark for reading in readings for mark in reading.marks.all())


def _both(reading: DoubleReading) -> list[User]:
    return [user for user in (reading.first_grader, reading.second_grader) if user is not None]


def _weeks(readings: Iterable[DoubleReading], zone: ZoneInfo) -> dict[date, list[DoubleReading]]:
    weeks: dict[date, list[DoubleReading]] = {}
    for reading in readings:
        day = reading.read_at.astimezone(zone).date()
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(reading)
    return weeks


def _differences(readings: Iterable[DoubleReading], reader: User) -> list[float]:
    """This reader's points less the other's, a submission each."""
    signs = (
        (reading, 1 if reading.second_grader_id == reader.pk else -1)
        for reading in readings
        if reader.pk in {reading.first_grader_id, reading.second_grader_id}
    )
    return [sign * float(reading.difference) for reading, sign in signs]


def _drift(weeks: dict[date, list[DoubleReading]], reader: User) -> Iterable[Drift]:
    for week in sorted(weeks):
        if found := _differences(weeks[week], reader):
            yield Drift(week, len(found), sum(found) / len(found))


def _effects(readings: Sequence[DoubleReading], calibrations: Iterable[Review]) -> dict[int, Effect]:
    readers, works, scores = _scores(readings, calibrations)
    return stats.reader_effects(
        np.asarray(readers, dtype=np.intp), np.asarray(works, dtype=np.intp), stats.as_floats(scores)
    )


def _scores(
    readings: Iterable[DoubleReading], calibrations: Iterable[Review]
) -> tuple[list[int], list[int], list[float]]:
    """Reader, submission and points of each reading. A calibration is another work than the same submission in the queue."""
    rows = [
        (grader, reading.submission_id, float(sum(getattr(mark, side) for mark in reading.marks.all())))
        for reading in readings
        for grader, side in ((reading.first_grader_id, "first"), (reading.second_grader_id, "second"))
        if grader is not None
    ]
    rows += [
        (review.grader_id, -review.submission_id, float(sum(mark.score for mark in review.marks.all())))
        for review in calibrations
        if review.grader_id is not None
    ]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
