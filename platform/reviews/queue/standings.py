"""How each submission of the queue stands, as one grader may know it.

A second reading is secret: a grader who is to read a submission that somebody graded sees it as one that nobody has read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from django.db.models import QuerySet

from accounts.models import User
from assignments.models import Assignment
from reviews.agreement.choice import is_chosen
from reviews.marking.models import Claim, Purpose, Review
from reviews.queue.rows import Work, is_due, is_open, latest, place, still_open

State = Literal["left", "reading", "held", "mine", "graded"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One submission. `people` are the enrollments whose work it is, `number` is its place in the queue, from 1, and `review_pk` the
    review that this grader may see.

    left: to be graded · reading: another grader reads it now · held: this grader does · mine, graded: by this grader, by another
    """

    submission_pk: int
    assignment_pk: int
    people: tuple[int, ...]
    number: int
    state: State
    purpose: str = Purpose.FIRST
    review_pk: int | None = None
    flagged: bool = False
    reader: str = ""

    @property
    def is_graded(self) -> bool:
        """Whether there are marks, as far as this grader knows."""
        return self.state in {"mine", "graded"}


@dataclass(frozen=True)
class Standings:
    """The submissions of an assignment that are to be graded, in the queue's order, of `handed_in` in all."""

    rows: tuple[Standing, ...] = ()
    handed_in: int = 0

    @property
    def waiting(self) -> int:
        """How many are not in the queue yet, because their students can still hand in."""
        return self.handed_in - len(self.rows)

    def count(self, *states: State) -> int:
        """How many stand so."""
        return sum(row.state in states for row in self.rows)

    @property
    def graded(self) -> int:
        """How many have marks."""
        return self.count("mine", "graded")

    @property
    def mine(self) -> int:
        """How many of them this grader gave."""
        return self.count("mine")

    @property
    def left(self) -> int:
        """How many have none, whoever reads them now."""
        return len(self.rows) - self.graded

    @property
    def readers(self) -> tuple[str, ...]:
        """Who else reads one of them now."""
        return tuple(sorted({row.reader for row in self.rows if row.reader}))

    def find(self, submission_pk: int) -> Standing | None:
        """The row of a submission."""
        return next((row for row in self.rows if row.submission_pk == submission_pk), None)


class _Given(NamedTuple):
    """A review, as far as it decides how its submission stands."""

    pk: int
    submission_pk: int
    purpose: str
    grader_id: int | None
    flagged: bool


@dataclass(frozen=True)
class _Known:
    """What the database says of the submissions in question, by submission id."""

    grader: User
    reviews: dict[int, list[_Given]]
    claims: dict[int, list[Claim]]


def standings(assignments: Collection[Assignment], grader: User, now: datetime) -> dict[int, Standings]:
    """By assignment id. Seven queries, however many assignments and students there are."""
    found: dict[int, list[tuple[bytes, Work]]] = {assignment.pk: [] for assignment in assignments}
    for work in latest(assignments):
        found[work.assignment_pk].append((place(work.assignment_pk, work.owner), work))
    known, open_ones = _known(assignments, grader, now), still_open(assignments, now)
    return {
        assignment.pk: Standings(
            rows=tuple(
                _standing(work, number, known)
                for number, (_, work) in enumerate(sorted(found[assignment.pk]), start=1)
                if is_due(assignment, now) and not is_open(work, open_ones)
            ),
            handed_in=len(found[assignment.pk]),
        )
        for assignment in assignments
    }


def readings_by_grader(assignments: Collection[Assignment]) -> Counter[tuple[int, str]]:
    """How many submissions each grader has marked, by the grader's id and name. Second readings count as any other. One query."""
    given = _reviews(assignments).filter(grader__isnull=False).order_by()
    return Counter(given.values_list("grader_id", "grader__name"))


def _reviews(assignments: Collection[Assignment]) -> QuerySet[Review]:
    return Review.objects.filter(submission__assignment__in=assignments, purpose__in=(Purpose.FIRST, Purpose.SECOND))


def _known(assignments: Collection[Assignment], grader: User, now: datetime) -> _Known:
    reviews: dict[int, list[_Given]] = defaultdict(list)
    for row in _reviews(assignments).order_by().values_list("pk", "submission_id", "purpose", "grader_id", "flagged"):
        review = _Given(*row)
        reviews[review.submission_pk].append(review)
    claims: dict[int, list[Claim]] = defaultdict(list)
    held = Claim.objects.held_at(now).filter(submission__assignment__in=assignments)
    for claim in held.select_related("grader"):
        claims[claim.submission_id].append(claim)
    return _Known(grader, reviews, claims)


def _standing(work: Work, number: int, known: _Known) -> Standing:
    pk = work.submission_pk
    given = {review.purpose: review for review in known.reviews.get(pk, ())}
    own = next((review for review in given.values() if review.grader_id == known.grader.pk), None)
    second = not own and set(given) == {Purpose.FIRST} and _is_second(work, known)
    purpose = own.purpose if own else Purpose.SECOND if second else Purpose.FIRST
    review = own or given.get(purpose)
    claim = next((claim for claim in known.claims.get(pk, ()) if claim.purpose == purpose), None)
    state: State = "left"
    if review:
        state = "mine" if own else "graded"
    elif claim:
        state = "held" if claim.grader_id == known.grader.pk else "reading"
    return Standing(
        submission_pk=pk,
        assignment_pk=work.assignment_pk,
        people=work.people,
        number=number,
        state=state,
        purpose=purpose,
        review_pk=review.pk if review else None,
        flagged=review.flagged if review else False,
        reader=claim.grader.name if claim and state == "reading" else "",
    )


def _is_second(work: Work, known: _Known) -> bool:
    """Whether this grader reads what another has graded for the second time: it is chosen, or was when they claimed it."""
    claims = known.claims.get(work.submission_pk, ())
    held = any(claim.grader_id == known.grader.pk and claim.purpose == Purpose.SECOND for claim in claims)
    return held or is_chosen(work.assignment_pk, work.owner)
