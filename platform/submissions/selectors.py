"""Reads of one submission: its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from submissions.models import SignedReceipt, Submission
from submissions.receipts import Statement, stated
from submissions.shared import authors_of, due_of


@dataclass(frozen=True)
class ReceiptFile:
    """One received file."""

    pk: int
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Receipt:
    """Proof of what the server received, and when by its own clock (to the second). `student` handed it in; of a team's work all
    `authors` may show this, so it says of their due date what all may know."""

    number: str
    submission_pk: int
    student: str
    team: str
    authors: tuple[str, ...]
    assignment: str
    kind: str
    attempt: int
    received_at: datetime
    due_at: datetime
    due_why: str  # where it was moved for this student: from when, and by what
    late: bool
    sha256: str
    size: int
    source: str
    files: tuple[ReceiptFile, ...]
    signed: Statement | None  # none: it was accepted before receipts were signed


def receipt_of(submission: Submission) -> Receipt:
    """The receipt of a submission; the same every time it is asked for, whatever becomes of the due date."""
    signed = SignedReceipt.objects.filter(submission=submission).first()
    statement, now = stated(signed.text) if signed else None, due_of(submission)
    due_at = datetime.fromisoformat(statement.due_at) if statement else now.due_at
    files = tuple(ReceiptFile(file.pk, file.name, file.size, file.sha256) for file in submission.files.all())
    return Receipt(
        number=submission.receipt_number,
        submission_pk=submission.pk,
        student=submission.enrollment.user.name,
        team=submission.shared_as,
        authors=authors_of(submission) if submission.is_shared else (),
        assignment=submission.assignment.label,
        kind=submission.assignment.kind,
        attempt=submission.number,
        received_at=submission.created_at,
        due_at=due_at,
        due_why=now.why if due_at == now.due_at.replace(microsecond=0) else "",
        late=submission.late,
        sha256=submission.sha256,
        size=sum(file.size for file in files),
        source=submission.get_source_display(),
        files=files,
        signed=statement,
    )
