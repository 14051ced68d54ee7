"""What came of the talks: all of them beside each other for staff, one of them in full, and what its team reads."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.conf import settings

from config import clock
from courses.models import Enrollment, Offering
from courses.pages import StateChip
from projects.presentations.leniency import Corrected, corrected
from projects.presentations.models import Moderation, PresentationRules, Rating, StaffRating, Talk
from projects.presentations.schedule import people_of
from projects.presentations.scores import TalkScore, score_of
from projects.presentations.tallies import Tally, rules_of, tallies, weighing_of

FEWEST_RATERS = 3  # below, whoever said what could be guessed


@dataclass(frozen=True)
class ResultRow:
    """One talk that is or was rated. Means are on the scale; `corrected` is the classmates' without the raters' leniency."""

    talk: Talk
    staff: float | None
    classmates: float | None
    corrected: float | None
    outliers: int
    raters: int
    staff_raters: int
    points: float | None
    waiting: int
    can_release: bool


@dataclass(frozen=True)
class ResultsPage:
    """All talks that were opened. `waiting` counts comments that nobody decided about."""

    rows: tuple[ResultRow, ...]
    rules: PresentationRules
    waiting: int
    undo_minutes: int
    is_instructor: bool


@dataclass(frozen=True)
class MarkRow:
    """One classmate's mark: how lenient they are over all talks, and the mark without that. `name` is for instructors."""

    score: int
    leniency: float
    corrected: float
    stands_apart: bool
    name: str


@dataclass(frozen=True)
class MarkBar:
    """How many gave a mark; `percent` of the most frequent one."""

    mark: int
    count: int
    percent: int


@dataclass(frozen=True)
class Formula:
    """The score with its numbers, in points of 100; what is None was not given."""

    staff_mean: float | None
    staff: float | None
    staff_percent: float
    classmates_mean: float | None
    classmates: float | None
    classmates_percent: float
    scale: int
    total: float


@dataclass(frozen=True)
class FeedbackPage:
    """What the team reads, and staff before it does. Without a release there is no formula for the team.

    Below three raters nothing of a single one is shown. `waiting` and `held` count comments for staff alone.
    """

    talk: Talk
    people: tuple[str, ...]
    formula: Formula | None
    criteria: tuple[tuple[str, float], ...]
    raters: int
    staff_raters: int
    few: bool
    comments: tuple[str, ...]
    staff_comments: tuple[str, ...]
    taken_back: bool
    is_preview: bool
    waiting: int
    held: int


@dataclass(frozen=True)
class TalkResultPage:
    """One talk in full, for staff."""

    row: ResultRow
    formula: Formula | None
    criteria: tuple[tuple[str, float], ...]
    bars: tuple[MarkBar, ...]
    marks: tuple[MarkRow, ...]
    rules: PresentationRules
    is_instructor: bool
    can_undo: bool
    now: datetime


@dataclass(frozen=True)
class CommentRow:
    """A comment to decide about."""

    rating: Rating
    chip: StateChip


@dataclass(frozen=True)
class CommentsPage:
    """Comments of one talk or of all, those that wait first. The order tells nothing about who wrote what."""

    rows: tuple[CommentRow, ...]
    waiting: int
    talk: Talk | None
    show_all: bool


CHIPS = {
    Moderation.WAITING: StateChip("warn", "Waiting", "hourglass"),
    Moderation.SHOWN: StateChip("pass", "Shown to the team", "eye"),
    Moderation.HELD: StateChip("muted", "Held back", "eye-off"),
}


def results_page(viewer: Enrollment) -> ResultsPage:
    """For staff. Five queries."""
    rules = rules_of(viewer.offering)
    talks, counted, found = _computed(viewer.offering, rules)
    waiting = _waiting(talks)
    rows = tuple(_row(talk, counted[talk.pk], found, waiting) for talk in talks)
    return ResultsPage(
        rows=rows,
        rules=rules,
        waiting=sum(row.waiting for row in rows),
        undo_minutes=max(1, round(settings.RELEASE_UNDO_S / 60)),
        is_instructor=viewer.is_instructor,
    )


def talk_result_page(viewer: Enrollment, talk: Talk) -> TalkResultPage:
    """For staff; names for instructors alone. The correction needs the marks of all talks."""
    rules, now = rules_of(talk.offering), clock.now()
    _, counted, found = _computed(talk.offering, rules)
    tally = counted.get(talk.pk) or Tally({}, {}, weighing_of(rules))
    score = score_of(talk, tally)
    return TalkResultPage(
        row=_row(talk, tally, found, _waiting([talk])),
        formula=formula_of(score),
        criteria=_criteria(score),
        bars=_bars(tally, rules),
        marks=_marks(talk, tally, found, _names(tally) if viewer.is_instructor else {}),
        rules=rules,
        is_instructor=viewer.is_instructor,
        can_undo=talk.can_be_undone(now),
        now=now,
    )


def feedback_page(viewer: Enrollment, talk: Talk) -> FeedbackPage:
    """For the speakers, and for staff as a preview."""
    tally = tallies([talk.pk], weighing_of(rules_of(talk.offering)))[talk.pk]
    shown = talk.released_at is not None or viewer.is_staff
    score = score_of(talk, tally) if shown else None
    few = len(tally.classmates) < FEWEST_RATERS
    ratings = list(Rating.objects.counting().filter(talk=talk).exclude(comment="")) if shown else []
    let_through = [rating for rating in ratings if rating.moderation == Moderation.SHOWN]
    return FeedbackPage(
        talk=talk,
        people=tuple(person.user.name for person in people_of([talk]).get(talk.pk, [])),
        formula=formula_of(score),
        criteria=_criteria(score),
        raters=len(tally.classmates),
        staff_raters=len(tally.staff),
        few=few,
        comments=() if few else tuple(rating.comment for rating in shuffled(let_through)),
        staff_comments=_staff_comments(talk) if shown else (),
        taken_back=talk.released_at is None and talk.taken_back_at is not None,
        is_preview=viewer.is_staff,
        waiting=sum(rating.moderation == Moderation.WAITING for rating in ratings),
        held=sum(rating.moderation == Moderation.HELD for rating in ratings),
    )


def comments_page(viewer: Enrollment, *, talk: Talk | None, show_all: bool) -> CommentsPage:
    """What classmates wrote. One query."""
    ratings = (
        Rating.objects.counting()
        .exclude(comment="")
        .filter(talk__offering=viewer.offering)
        .select_related("talk__team")
    )
    if talk is not None:
        ratings = ratings.filter(talk=talk)
    found = list(ratings)
    waiting = [rating for rating in found if rating.moderation == Moderation.WAITING]
    listed = sorted(
        shuffled(found if show_all else waiting), key=lambda rating: rating.moderation != Moderation.WAITING
    )
    rows = tuple(CommentRow(rating, CHIPS[Moderation(rating.moderation)]) for rating in listed)
    return CommentsPage(rows=rows, waiting=len(waiting), talk=talk, show_all=show_all)


def formula_of(score: TalkScore | None) -> Formula | None:
    """For people: rounded when it is shown, never before."""
    if score is None:
        return None
    return Formula(
        staff_mean=_float(score.staff_mean),
        staff=_float(score.staff),
        staff_percent=float(100 * score.staff_weight),
        classmates_mean=_float(score.classmates_mean),
        classmates=_float(score.classmates),
        classmates_percent=float(100 * score.classmates_weight),
        scale=score.scale,
        total=float(score.points),
    )


def shuffled(ratings: Sequence[Rating]) -> list[Rating]:
    """In an order that is always the same and that only the server can tell from chance: not by time, name or mark."""
    key = settings.SECRET_KEY.encode()
    return sorted(ratings, key=lambda rating: hmac.digest(key, f"comment/{rating.pk}".encode(), "sha256"))


def _computed(offering: Offering, rules: PresentationRules) -> tuple[list[Talk], dict[int, Tally], Corrected]:
    """Talks that were opened, their marks, and the correction over all of them."""
    talks = list(Talk.objects.of(offering).filter(opened_at__isnull=False))
    counted = tallies([talk.pk for talk in talks], weighing_of(rules))
    return talks, counted, corrected({pk: tally.classmates for pk, tally in counted.items()})


def _row(talk: Talk, tally: Tally, found: Corrected, waiting: Mapping[int, int]) -> ResultRow:
    value = found.talks.get(talk.pk)
    return ResultRow(
        talk=talk,
        staff=_float(tally.staff_mean),
        classmates=_float(tally.classmates_mean),
        corrected=None if value is None else min(max(value, 1.0), float(tally.weighing.scale)),
        outliers=sum(pk == talk.pk for pk, _ in found.outliers),
        raters=len(tally.classmates),
        staff_raters=len(tally.staff),
        points=_float(tally.points),
        waiting=waiting.get(talk.pk, 0),
        can_release=talk.closed_at is not None and talk.released_at is None and tally.points is not None,
    )


def _waiting(talks: Sequence[Talk]) -> Counter[int]:
    ratings = Rating.objects.counting().filter(talk__in=talks, moderation=Moderation.WAITING).exclude(comment="")
    return Counter(ratings.order_by().values_list("talk", flat=True))


def _bars(tally: Tally, rules: PresentationRules) -> tuple[MarkBar, ...]:
    counts = Counter(tally.classmates.values())
    most = max(counts.values(), default=0)
    return tuple(MarkBar(mark, counts[mark], 100 * counts[mark] // most if most else 0) for mark in rules.marks)


def _marks(talk: Talk, tally: Tally, found: Corrected, names: Mapping[int, str]) -> tuple[MarkRow, ...]:
    """From the lowest corrected one."""
    rows = (
        MarkRow(
            score=score,
            leniency=found.raters[rater],
            corrected=score - found.raters[rater],
            stands_apart=(talk.pk, rater) in found.outliers,
            name=names.get(rater, ""),
        )
        for rater, score in tally.classmates.items()
    )
    return tuple(sorted(rows, key=lambda row: (row.corrected, row.score, row.name)))


def _names(tally: Tally) -> dict[int, str]:
    people = Enrollment.objects.filter(pk__in=tally.classmates)
    return dict(people.order_by().values_list("pk", "user__name"))


def _criteria(score: TalkScore | None) -> tuple[tuple[str, float], ...]:
    return tuple((label, float(value)) for label, value in score.criteria) if score else ()


def _staff_comments(talk: Talk) -> tuple[str, ...]:
    return tuple(StaffRating.objects.filter(talk=talk).exclude(comment="").values_list("comment", flat=True))


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
