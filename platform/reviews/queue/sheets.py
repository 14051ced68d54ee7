"""The page on which one submission is read and marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db.models import Avg, Count

from assignments.models import Assignment
from config import clock
from reviews.marking.models import Adjustment, Purpose, Review
from reviews.marking.services import number
from reviews.models import RubricItem
from reviews.queue.access import Desk
from reviews.queue.bank import bank_comments
from reviews.queue.drafts import Draft, draft_of
from reviews.queue.filters import SHOWS, QueueFilter
from reviews.queue.handed_in import HandedIn, handed_in
from reviews.queue.lists import ListRow, beside, neighbours, noun_of
from reviews.queue.standings import Standing, Standings
from reviews.queue.undo import Step

ENOUGH_TO_TELL = 3


@dataclass(frozen=True)
class LevelChoice:
    """A level as a button; `key` gives it on the keyboard."""

    value: str
    key: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ItemRow:
    """An item to mark. Without levels its points are typed. `theirs` are another grader's points, where two met."""

    item: RubricItem
    levels: tuple[LevelChoice, ...]
    value: str
    comment: str
    saved_comments: tuple[str, ...]
    theirs: str = ""
    their_comment: str = ""


@dataclass(frozen=True)
class Conflict:
    """Two graders met: what the other one saved."""

    grader: str
    saved: Draft
    total: Decimal


@dataclass(frozen=True)
class SheetPage:
    """One submission, its rubric, and the others around it."""

    assignment: Assignment
    noun: str
    here: Standing
    standings: Standings
    receipt: str
    late: bool
    handed_in: HandedIn
    items: tuple[ItemRow, ...]
    draft: Draft
    total: Decimal
    most: Decimal
    graded_by: str
    adjustments: tuple[Adjustment, ...]
    filter: QueueFilter
    shows: tuple[tuple[str, str], ...]
    rows: tuple[ListRow, ...]
    before: Standing | None
    after: Standing | None
    minutes_left: int | None
    student: str
    undo: Step | None
    undo_number: int | None
    conflict: Conflict | None
    refusal: str
    taken_back: bool
    opened_at: int
    renew_every_s: int
    keys: str


def items_of(assignment: Assignment) -> list[RubricItem]:
    """The rubric with its levels. Two queries."""
    return list(RubricItem.objects.filter(rubric__assignment=assignment).prefetch_related("levels"))


def review_of(desk: Desk) -> Review | None:
    """The marks that this grader may see, if there are any."""
    reviews = Review.objects.select_related("grader").prefetch_related("marks")
    return reviews.filter(pk=desk.here.review_pk).first() if desk.here.review_pk else None


def sheet_page(
    desk: Desk,
    shown: QueueFilter,
    *,
    names: bool,
    undo: Step | None = None,
    typed: Draft | None = None,
    refusal: str = "",
    met: Review | None = None,
    taken_back: bool = False,
) -> SheetPage:
    """The page with the stored marks, or with what was `typed`; `met` is the review that was saved meanwhile.

    Queries do not grow with the students.
    """
    items, review = items_of(desk.assignment), review_of(desk)
    draft = typed or draft_of(review)
    saved = draft_of(met) if met else None
    if saved:
        draft = replace(draft, revision=saved.revision)  # from now on the grader has seen it
    rows = _item_rows(items, draft, bank_comments(desk.assignment), saved)
    before, after = neighbours(desk.all, desk.here, shown)
    undone = desk.all.find(undo.submission_pk) if undo else None
    return SheetPage(
        assignment=desk.assignment,
        noun=noun_of(desk.assignment),
        here=desk.here,
        standings=desk.all,
        receipt=desk.submission.receipt_number,
        late=desk.submission.late,
        handed_in=handed_in(desk.submission, items),
        items=rows,
        draft=draft,
        total=_sum(row.value for row in rows),
        most=sum((item.points for item in items), Decimal(0)),
        graded_by=review.grader.name if review and review.grader else "",
        adjustments=_adjustments(desk),
        filter=shown,
        shows=tuple(SHOWS.items()),
        rows=beside(desk.all, desk.here, shown, names=names),
        before=before,
        after=after,
        minutes_left=minutes_left(desk),
        student=desk.submission.enrollment.user.name if names else "",
        undo=undo,
        undo_number=undone.number if undone else None,
        conflict=Conflict(_grader(met), saved, _sum(saved.marks.values())) if met and saved else None,
        refusal=refusal,
        taken_back=taken_back,
        opened_at=int(clock.now().timestamp()),
        renew_every_s=max(settings.REVIEW_LEASE_S // 4, 1),
        keys=" ".join(sorted({level.key for row in rows for level in row.levels if level.key})),
    )


def minutes_left(desk: Desk) -> int | None:
    """How long the rest takes at this grader's own pace; None while there is too little to tell."""
    own = Review.objects.filter(grader=desk.enrollment.user, submission__assignment=desk.assignment, spent_s__gt=0)
    told = own.aggregate(count=Count("pk"), pace=Avg("spent_s"))
    if told["count"] < ENOUGH_TO_TELL or not desk.all.left:
        return None
    pace: float = told["pace"]
    return max(1, round(desk.all.left * pace / 60))


def _item_rows(
    items: list[RubricItem], draft: Draft, bank: Mapping[int, tuple[str, ...]], saved: Draft | None
) -> tuple[ItemRow, ...]:
    return tuple(
        ItemRow(
            item=item,
            levels=_levels(item, draft.marks.get(item.pk, "")),
            value=draft.marks.get(item.pk, ""),
            comment=draft.comments.get(item.pk, ""),
            saved_comments=bank.get(item.pk, ()),
            theirs=saved.marks.get(item.pk, "–") if saved else "",
            their_comment=saved.comments.get(item.pk, "") if saved else "",
        )
        for item in items
    )


def _levels(item: RubricItem, value: str) -> tuple[LevelChoice, ...]:
    """Fewest points first. Points that are no level's, from a rubric that changed or an import, stay a choice."""
    levels = sorted(item.levels.all(), key=lambda level: level.points)
    if not levels:
        return ()
    chosen = _decimal(value)
    choices = [LevelChoice(number(one.points), one.key, one.label, one.points == chosen) for one in levels]
    if chosen is not None and not any(choice.chosen for choice in choices):
        choices.append(LevelChoice(value, "", "As it stands", chosen=True))
    return tuple(choices)


def _adjustments(desk: Desk) -> tuple[Adjustment, ...]:
    """None in a second reading: they would tell that there was a first."""
    if desk.here.purpose != Purpose.FIRST:
        return ()
    return tuple(Adjustment.objects.filter(submission=desk.submission).select_related("made_by"))


def _grader(review: Review) -> str:
    return review.grader.name if review.grader else "Another grader"


def _sum(values: Iterable[str]) -> Decimal:
    found = (_decimal(value) for value in values)
    return sum((value for value in found if value is not None), Decimal(0))


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
