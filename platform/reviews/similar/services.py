"""Searching an assignment for similar texts, and what staff do with what is found. No act here changes a score."""

from __future__ import annotations

import structlog
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment, Kind
from audit.services import record
from config import clock
from reviews.similar.compare import Found, near_duplicates
from reviews.similar.models import SimilarPair, SimilarSearch, Status
from reviews.similar.shingles import matches, without_common
from reviews.similar.texts import Text, latest_works, quotable, read

QUOTABLE_MAX = 20_000
log = structlog.get_logger(__name__)


def search_due() -> SimilarSearch | None:
    """Make one search whose time has come; None when there is none. The sweeper calls it at each turn; several may run."""
    now = clock.now()
    passed = Assignment.objects.filter(kind=Kind.READING, due_at__lt=now, similar_search=None)
    SimilarSearch.objects.bulk_create([SimilarSearch(assignment=row) for row in passed], ignore_conflicts=True)
    due = SimilarSearch.objects.due(now).select_related("assignment__offering").first()
    if due is None or not SimilarSearch.objects.filter(pk=due.pk).free(now).update(begun_at=now):
        return None
    return search_similar(assignment=due.assignment)


def search_similar(*, assignment: Assignment) -> SimilarSearch:
    """Compare everybody's latest text with all others and store the pairs. A second time changes nothing.

    A pair that is no longer found is forgotten while it is open; what staff decided stays.
    """
    # taken before the texts are read: what is handed in meanwhile is after it
    started = clock.now()
    texts = read(latest_works(assignment))
    own = {text.submission.pk for text in texts if text.submission.assignment_id == assignment.pk}
    found = [pair for pair in compare(texts, assignment) if pair.first in own or pair.second in own]
    by_pk = {text.submission.pk: text for text in texts}
    with transaction.atomic():
        _store(assignment, found, by_pk)
        unread = sum(not by_pk[pk].texts for pk in own)
        defaults = {
            "begun_at": started,
            "searched_at": started,
            "texts": len(own),
            "earlier": len(texts) - len(own),
            "unread": unread,
        }
        search, _ = SimilarSearch.objects.update_or_create(assignment=assignment, defaults=defaults)
    log.info("similar_searched", assignment=assignment.pk, texts=len(texts), pairs=len(found))
    return search


def compare(texts: list[Text], assignment: Assignment) -> list[Found]:
    """The pairs among these texts, without what everybody may use: quotable text, and runs that many students share."""
    free = quotable(assignment)
    runs = {text.submission.pk: text.runs - free for text in texts}
    return near_duplicates(without_common(runs), {text.submission.pk: text.owner for text in texts})


@transaction.atomic
def ask_for_search(*, assignment: Assignment, by: User) -> SimilarSearch:
    """Let the sweeper search now instead of after the due moment. Asking twice is asking once."""
    search, _ = SimilarSearch.objects.get_or_create(assignment=assignment)
    if not search.is_waiting:
        search.asked_at = clock.now()
        search.save(update_fields=["asked_at"])
        _record(search, by, "asked for similar texts")
    return search


@transaction.atomic
def set_quotable(*, assignment: Assignment, text: str, by: User) -> SimilarSearch:
    """What everybody may quote of this work; the next search leaves it out, and it is asked for at once."""
    search, _ = SimilarSearch.objects.select_for_update().get_or_create(assignment=assignment)
    before, search.quotable = search.quotable, text.strip()
    if before != search.quotable:
        search.asked_at = clock.now()
        search.save(update_fields=["quotable", "asked_at"])
        _record(search, by, "set quotable text", before=before, after=search.quotable)
    return search


@transaction.atomic
def decide(*, pair: SimilarPair, status: Status, note: str, by: User) -> SimilarPair:
    """Keep what staff made of a pair. Saving what is stored already changes nothing."""
    fresh = SimilarPair.objects.select_for_update().get(pk=pair.pk)
    before = _line(fresh)
    fresh.status, fresh.note = status, note.strip()
    if _line(fresh) == before:
        return fresh
    fresh.decided_by, fresh.decided_at = by, clock.now()
    fresh.save(update_fields=["status", "note", "decided_by", "decided_at"])
    record(
        actor=by,
        action="judged similar texts",
        subject=fresh,
        offering_id=pair.assignment.offering_id,
        before=before,
        after=_line(fresh),
        reason=fresh.note,
    )
    return fresh


def _store(assignment: Assignment, found: list[Found], texts: dict[int, Text]) -> None:
    rows = [_row(assignment, pair, texts) for pair in found]
    again = {(row.first_id, row.second_id) for row in rows}
    undecided = SimilarPair.objects.filter(assignment=assignment, status=Status.OPEN, decided_at=None)
    gone = [pair.pk for pair in undecided if (pair.first_id, pair.second_id) not in again]
    SimilarPair.objects.filter(pk__in=gone).delete()
    SimilarPair.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["assignment", "first", "second"],
        update_fields=["share", "jaccard", "passages"],
    )


def _row(assignment: Assignment, pair: Found, texts: dict[int, Text]) -> SimilarPair:
    first, second = texts[pair.first], texts[pair.second]
    return SimilarPair(
        assignment=assignment,
        first=first.submission,
        second=second.submission,
        share=pair.share,
        jaccard=pair.jaccard,
        passages={"first": matches(first.texts, pair.shared), "second": matches(second.texts, pair.shared)},
        found_at=clock.now(),
    )


def _line(pair: SimilarPair) -> str:
    return f"{pair.get_status_display()}; note: {pair.note}" if pair.note else str(pair.get_status_display())


def _record(search: SimilarSearch, by: User, action: str, *, before: str = "", after: str = "") -> None:
    record(
        actor=by,
        action=action,
        subject=search.assignment,
        offering_id=search.assignment.offering_id,
        before=before,
        after=after,
    )
