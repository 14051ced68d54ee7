"""The pages of similar texts: all pairs of an offering, the search of one reading, and one pair side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Q

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.models import RubricItem
from reviews.similar.models import SimilarPair, SimilarSearch, Status
from reviews.similar.texts import texts_of
from submissions.models import Submission
from submissions.texts import NAME


@dataclass(frozen=True)
class Side:
    """One of the two. `is_here`: handed in in this offering, so that the page can link to it."""

    submission: Submission
    student: str
    term: str
    is_here: bool


@dataclass(frozen=True)
class PairRow:
    """A pair in the list."""

    pair: SimilarPair
    first: Side
    second: Side


@dataclass(frozen=True)
class SearchRow:
    """A reading, its latest search, and how many of its pairs wait for a look."""

    assignment: Assignment
    search: SimilarSearch | None
    pairs: int
    open: int


@dataclass(frozen=True)
class SimilarPage:
    """The pairs that the filters let through, and every reading with its search. `open` counts all that are open."""

    rows: tuple[PairRow, ...]
    searches: tuple[SearchRow, ...]
    statuses: tuple[tuple[str, str], ...]
    status: str
    work: Assignment | None
    open: int
    total: int


@dataclass(frozen=True)
class SearchPage:
    """One reading: its search, and what everybody may quote."""

    assignment: Assignment
    search: SimilarSearch
    quotable: str
    every_s: int


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `shared`: the other text has it, too."""

    text: str
    shared: bool


@dataclass(frozen=True)
class Passage:
    """A text with its shared stretches."""

    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class PairPage:
    """Both texts, and the form with what stands, or with what came."""

    row: PairRow
    first: tuple[Passage, ...]
    second: tuple[Passage, ...]
    statuses: tuple[tuple[str, str], ...]
    status: str
    note: str


def similar_page(enrollment: Enrollment, *, status: str = "", work: str = "") -> SimilarPage:
    """All pairs, the largest share first. Queries do not grow with pairs, students or readings."""
    assignments = list(enrollment.offering.assignments.readings().select_related("similar_search"))
    chosen = next((row for row in assignments if row.slug == work), None)
    known = status if status in Status.values else ""
    pairs = SimilarPair.objects.filter(assignment__in=[chosen] if chosen else assignments)
    people = [
        f"{side}__{path}" for side in ("first", "second") for path in ("enrollment__user", "assignment__offering")
    ]
    shown = (pairs.filter(status=known) if known else pairs).select_related("assignment", *people).defer("passages")
    counts = _counts(assignments)
    return SimilarPage(
        rows=tuple(pair_row(enrollment, pair) for pair in shown),
        searches=tuple(_search_row(row, counts) for row in assignments),
        statuses=_statuses(),
        status=known,
        work=chosen,
        open=sum(row["open"] for row in counts.values()),
        total=sum(row["pairs"] for row in counts.values()),
    )


def search_page(assignment: Assignment, quotable: str | None = None) -> SearchPage:
    """The search of one reading; `quotable` is what came and was refused."""
    search = SimilarSearch.objects.filter(assignment=assignment).first() or SimilarSearch(assignment=assignment)
    text = search.quotable if quotable is None else quotable
    return SearchPage(assignment, search, text, settings.SWEEP_EVERY_S)


def pair_page(enrollment: Enrollment, pair: SimilarPair, *, status: str = "", note: str | None = None) -> PairPage:
    """One pair side by side; `status` and `note` are what came and was refused."""
    works = (pair.first.assignment_id, pair.second.assignment_id)
    items = RubricItem.objects.filter(rubric__assignment__in=works)
    titles = dict(items.values_list("task_id", "title"))
    first, second = (_passages(submission, pair.passages.get(name, {}), titles) for name, submission in _by_time(pair))
    return PairPage(
        row=pair_row(enrollment, pair),
        first=first,
        second=second,
        statuses=_statuses(),
        status=status or pair.status,
        note=pair.note if note is None else note,
    )


def pair_row(enrollment: Enrollment, pair: SimilarPair) -> PairRow:
    """Both sides, the one that was handed in first before the other. Who a student of another offering was is told to instructors alone."""
    first, second = (_side(enrollment, submission) for _, submission in _by_time(pair))
    return PairRow(pair, first, second)


def _by_time(pair: SimilarPair) -> list[tuple[str, Submission]]:
    """Its sides by name, as they came: who wrote first matters to whoever judges."""
    sides = [("first", pair.first), ("second", pair.second)]
    return sorted(sides, key=lambda side: (side[1].created_at, side[1].pk))


def pieces_of(text: str, spans: Iterable[tuple[int, int]]) -> tuple[Piece, ...]:
    """The text cut at the ends of its spans; joined, the pieces are the text."""
    pieces, done = [], 0
    for start, end in spans:
        pieces += [Piece(text[done:start], shared=False), Piece(text[start:end], shared=True)]
        done = end
    return tuple(piece for piece in (*pieces, Piece(text[done:], shared=False)) if piece.text)


def _side(enrollment: Enrollment, submission: Submission) -> Side:
    offering = submission.assignment.offering
    is_here = offering.pk == enrollment.offering_id
    is_named = is_here or enrollment.is_instructor
    student = submission.enrollment.user.name if is_named else "A student"
    return Side(submission, student, "" if is_here else offering.term, is_here)


def _passages(
    submission: Submission, places: Mapping[str, list[tuple[int, int]]], titles: Mapping[str, str]
) -> tuple[Passage, ...]:
    """Each text under its item's title, or under its file's name."""
    texts = texts_of(submission)
    return tuple(Passage(_title(name, titles), pieces_of(text, places.get(name, []))) for name, text in texts.items())


def _title(name: str, titles: Mapping[str, str]) -> str:
    item = NAME.fullmatch(name)
    return titles.get(item["item"], name) if item else name


def _counts(assignments: list[Assignment]) -> dict[int, dict[str, int]]:
    rows = SimilarPair.objects.filter(assignment__in=assignments).order_by().values("assignment")
    counted = rows.annotate(pairs=Count("pk"), open=Count("pk", filter=Q(status=Status.OPEN)))
    return {row["assignment"]: {"pairs": row["pairs"], "open": row["open"]} for row in counted}


def _search_row(assignment: Assignment, counts: Mapping[int, Mapping[str, int]]) -> SearchRow:
    found = counts.get(assignment.pk, {"pairs": 0, "open": 0})
    return SearchRow(assignment, getattr(assignment, "similar_search", None), found["pairs"], found["open"])


def _statuses() -> tuple[tuple[str, str], ...]:
    return tuple((str(value), str(label)) for value, label in Status.choices)
