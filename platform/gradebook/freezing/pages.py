"""The pages of freezing: the checklist with all snapshots, and one snapshot beside another one or beside now."""

from __future__ import annotations

from dataclasses import dataclass

from courses.models import Enrollment, Offering
from courses.pages import StateChip
from gradebook.freezing.checklist import Check, checklist
from gradebook.freezing.compare import Differences, compare
from gradebook.freezing.document import canonical, document_of, sha256_of
from gradebook.freezing.frozen import Frozen, read
from gradebook.models import Snapshot
from gradebook.sources.collect import Book, collect

NOW = "now"


@dataclass(frozen=True)
class SnapshotRow:
    """A snapshot in the list."""

    snapshot: Snapshot
    chip: StateChip


@dataclass(frozen=True)
class FreezingPage:
    """What is open, what was kept, and, while the grades are frozen, what their sources say otherwise by now."""

    checks: tuple[Check, ...]
    open_checks: int
    students: int
    rows: tuple[SnapshotRow, ...]
    freeze: Snapshot | None
    drift: Differences | None
    is_instructor: bool
    refusal: str
    note: str


@dataclass(frozen=True)
class SnapshotPage:
    """One snapshot, and what another one, or now, has otherwise. `is_whole`: its content has the hash that it was stored with."""

    snapshot: Snapshot
    chip: StateChip
    content: Frozen
    is_whole: bool
    others: tuple[Snapshot, ...]
    against: str
    against_label: str
    differences: Differences
    is_instructor: bool
    refusal: str
    reason: str


def freezing_page(viewer: Enrollment, *, refusal: str = "", note: str = "") -> FreezingPage:
    """For staff. The number of queries does not depend on the class."""
    offering = viewer.offering
    book = collect(offering)
    checks = checklist(offering, book=book)
    snapshots = list(Snapshot.objects.filter(offering=offering).select_related("taken_by", "lifted_by").defer("data"))
    standing = next((row for row in snapshots if row.final and row.lifted_at is None), None)
    return FreezingPage(
        checks=checks,
        open_checks=sum(check.is_open for check in checks),
        students=len(book.students),
        rows=tuple(SnapshotRow(row, chip_of(row)) for row in snapshots),
        freeze=standing,
        drift=compare(read(standing.data), grades_now(offering, book)) if standing else None,
        is_instructor=viewer.is_instructor,
        refusal=refusal,
        note=note,
    )


def snapshot_page(
    viewer: Enrollment, snapshot: Snapshot, *, against: str = "", refusal: str = "", reason: str = ""
) -> SnapshotPage:
    """One snapshot for staff, beside snapshot `against`, or beside now where that names none."""
    offering = viewer.offering
    others = list(
        Snapshot.objects.filter(offering=offering).exclude(pk=snapshot.pk).select_related("taken_by").defer("data")
    )
    other = next((row for row in others if str(row.pk) == against), None)
    content = read(snapshot.data)
    older_first = other is None or other.pk > snapshot.pk
    beside = read(other.data) if other else grades_now(offering, collect(offering))
    return SnapshotPage(
        snapshot=snapshot,
        chip=chip_of(snapshot),
        content=content,
        is_whole=sha256_of(snapshot.data) == snapshot.sha256,
        others=tuple(others),
        against=str(other.pk) if other else NOW,
        against_label=f"snapshot {other.pk}" if other else "now",
        differences=compare(content, beside) if older_first else compare(beside, content),
        is_instructor=viewer.is_instructor,
        refusal=refusal,
        reason=reason,
    )


def grades_now(offering: Offering, book: Book) -> Frozen:
    """The grades as a snapshot of this moment would hold them."""
    return read(canonical(document_of(offering, book)))


def chip_of(snapshot: Snapshot) -> StateChip:
    """What a snapshot is."""
    if not snapshot.final:
        return StateChip("muted", "Kept", "camera")
    if snapshot.lifted_at is not None:
        return StateChip("warn", "Lifted", "undo-2")
    return StateChip("run", "Frozen", "snowflake")
