"""The page on which one submission is read and marked."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Avg, Count

from assignments.models import Assignment
from config import clock
from reviews.bank import bank_comments
from reviews.marking.models import Adjustment, Purpose, Review
from reviews.models import RubricItem
from reviews.queue.access import Desk
from reviews.queue.drafts import Draft, draft_of
from reviews.queue.fields import Fields, fields_of
from reviews.queue.filters import SHOWS, QueueFilter
from reviews.queue.handed_in import HandedIn, handed_in
from reviews.queue.lists import ListRow, beside, neighbours, noun_of
from reviews.queue.standings import Standing, Standings
from reviews.queue.undo import Step
from submissions.models import Submission
from submissions.shared import names_of

ENOUGH_TO_TELL = 3


@dataclass(frozen=True)
class Around:
    """The other submissions of the assignment: a few beside this one, and how long the rest takes (None: too early to tell)."""

    standings: Standings
    filter: QueueFilter
    shows: tuple[tuple[str, str], ...]
    rows: tuple[ListRow, ...]
    before: Standing | None
    after: Standing | None
    minutes_left: int | None


@dataclass(frozen=True)
class SheetPage:
    """One submission, its rubric, and the others around it. `student` is empty unless names are shown."""

    assignment: Assignment
    noun: str
    here: Standing
    submission: Submission
    handed_in: HandedIn
    fields: Fields
    graded_by: str
    adjustments: tuple[Adjustment, ...]
    around: Around
    student: str
    undo: Step | None
    undo_number: int | None
    refusal: str
    taken_back: bool
    opened_at: int
    renew_every_s: int


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
    undone = desk.all.find(undo.submission_pk) if undo else None
    return SheetPage(
        assignment=desk.assignment,
        noun=noun_of(desk.assignment),
        here=desk.here,
        submission=desk.submission,
        handed_in=handed_in(desk.submission, items),
        fields=fields_of(items, typed or draft_of(review), bank_comments(desk.assignment), met),
        graded_by=review.grader.name if review and review.grader else "",
        adjustments=_adjustments(desk),
        around=_around(desk, shown, names=names),
        student=names_of([desk.submission.pk])[desk.submission.pk] if names else "",
        undo=undo,
        undo_number=undone.number if undone else None,
        refusal=refusal,
        taken_back=taken_back,
        opened_at=int(clock.now().timestamp()),
        renew_every_s=max(settings.REVIEW_LEASE_S // 4, 1),
    )


def _around(desk: Desk, shown: QueueFilter, *, names: bool) -> Around:
    before, after = neighbours(desk.all, desk.here, shown)
    return Around(
        standings=desk.all,
        filter=shown,
        shows=tuple(SHOWS.items()),
        rows=beside(desk.all, desk.here, shown, names=names),
        before=before,
        after=after,
        minutes_left=minutes_left(desk),
    )


def minutes_left(desk: Desk) -> int | None:
    """How long the rest takes at this grader's own pace; None while there is too little to tell."""
    own = Review.objects.filter(grader=desk.enrollment.user, submission__assignment=desk.assignment, spent_s__gt=0)
    told = own.aggregate(count=Count("pk"), pace=Avg("spent_s"))
    if told["count"] < ENOUGH_TO_TELL or not desk.all.left:
        return None
    pace: float = told["pace"]
    return max(1, round(desk.all.left * pace / 60))


def _adjustments(desk: Desk) -> tuple[Adjustment, ...]:
    """None in a second reading: they would tell that there was a first."""
    if desk.here.purpose != Purpose.FIRST:
        return ()
    return tuple(Adjustment.objects.filter(submission=desk.submission).select_related("made_by"))
