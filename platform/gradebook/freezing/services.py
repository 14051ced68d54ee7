"""Taking snapshots, freezing by one, and lifting a freeze. Each is one transaction with its line in the audit log."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from gradebook.freezing.checklist import checklist
from gradebook.freezing.document import canonical, document_of, sha256_of
from gradebook.freezing.selectors import freeze_of
from gradebook.models import GradePolicy, Snapshot
from gradebook.sources.collect import collect

REASON_MIN = 3


class FreezeRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """What cannot be frozen or lifted; the text says why. Nothing was changed."""


@transaction.atomic
def take_snapshot(*, offering: Offering, by: User, note: str = "") -> Snapshot:
    """Keep everyone's grades as they are now. The grades go on as before."""
    _lock(offering)
    return _take(offering, by, note, final=False)


@transaction.atomic
def freeze(*, offering: Offering, by: User, note: str = "") -> Snapshot:
    """Keep everyone's grades as they are now, and show these from now on.

    Raises `FreezeRefused` where they are frozen already, or something is open and the note does not say why that may be.
    """
    _lock(offering)
    if standing := freeze_of(offering):
        raise FreezeRefused(f"The grades are frozen already, by {standing.taken_by or 'course staff'}.")
    still_open = [check.title for check in checklist(offering) if check.is_open]
    if still_open and len(note.strip()) < REASON_MIN:
        raise FreezeRefused(
            f"Something is still open: {'; '.join(still_open)}. Settle it first, or write a note that says why the grades are final in "
            "spite of it. Nothing was frozen."
        )
    return _take(offering, by, note, final=True)


@transaction.atomic
def lift(*, snapshot: Snapshot, by: User, reason: str) -> bool:
    """Show the grades as their sources make them again; False when somebody lifted it already. The snapshot stays."""
    if len(reason.strip()) < REASON_MIN:
        raise FreezeRefused("Please give a reason; it stays with the snapshot. Nothing was lifted.")
    _lock(snapshot.offering)
    fresh = Snapshot.objects.select_for_update().defer("data").get(pk=snapshot.pk)
    if not fresh.final:
        raise FreezeRefused("This snapshot freezes nothing, so there is nothing to lift.")
    if fresh.lifted_at is not None:
        return False
    fresh.lifted_at, fresh.lifted_by, fresh.lift_reason = clock.now(), by, reason.strip()
    fresh.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    record(
        actor=by,
        action="lifted the freeze of grades",
        subject=fresh,
        offering_id=fresh.offering_id,
        before=f"frozen, SHA-256 {fresh.sha256}",
        after="read from their sources again",
        reason=fresh.lift_reason,
    )
    return True


def _lock(offering: Offering) -> None:
    """Snapshots of one offering, and changes of its scheme, follow one another."""
    GradePolicy.objects.get_or_create(offering=offering)
    GradePolicy.objects.select_for_update().get(offering=offering)


def _take(offering: Offering, by: User, note: str, *, final: bool) -> Snapshot:
    book = collect(offering)
    if not book.students:
        raise FreezeRefused("There are no students, so there are no grades to keep.")
    text = canonical(document_of(offering, book))
    made = Snapshot.objects.create(
        offering=offering,
        final=final,
        sha256=sha256_of(text),
        data=text,
        note=note.strip(),
        taken_at=clock.now(),
        taken_by=by,
    )
    record(
        actor=by,
        action="froze the grades" if final else "took a snapshot of the grades",
        subject=made,
        offering_id=offering.pk,
        after=f"{len(book.students)} students, SHA-256 {made.sha256}",
        reason=made.note,
    )
    return made
