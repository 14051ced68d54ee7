"""Issuing receipts with submissions, and saying whether one that somebody shows is genuine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format

from config import clock
from submissions import receipts
from submissions.models import SignedReceipt, Submission
from submissions.receipts import KIND, NotGenuine, StatedFile, Statement
from submissions.shared import authors_of, due_of


class Standing(StrEnum):
    """What the database says of the submission that a genuine receipt states."""

    PRESENT = "present"
    MISSING = "missing"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Finding:
    """What came of a check. `statement` and `standing` are there for a genuine receipt alone."""

    sentence: str
    statement: Statement | None = None
    standing: Standing | None = None

    @property
    def genuine(self) -> bool:
        """Whether this installation signed it."""
        return self.statement is not None


SENTENCES = {
    Standing.PRESENT: "This receipt is genuine, and the submission is in the database as it states.",
    Standing.MISSING: (
        "This receipt is genuine, but this submission is not in the database. The database was probably restored from a backup that "
        "is older than the submission. The receipt proves that the files were received: show it to the course's staff."
    ),
    Standing.DIFFERS: (
        "This receipt is genuine, but the database says something else about this submission than it said when the receipt was "
        "signed. Show the receipt to the course's staff."
    ),
}


@transaction.atomic
def issue_receipt(*, submission: Submission, waiting_ahead: int | None, mail: bool) -> SignedReceipt:
    """Sign what was received, in the transaction that records it. The sweeper mails it, if `mail` and the settings say so."""
    statement = state(submission, code=receipts.new_code(), waiting_ahead=waiting_ahead)
    return SignedReceipt.objects.create(
        submission=submission,
        code=statement.code,
        text=receipts.sign(statement),
        mail_at=clock.now() if mail and settings.RECEIPT_MAIL else None,
    )


def state(submission: Submission, *, code: str, waiting_ahead: int | None) -> Statement:
    """What a receipt of this submission states, from its rows."""
    assignment, enrollment = submission.assignment, submission.enrollment
    here = submission.created_at.astimezone(enrollment.offering.zone)
    return Statement(
        kind=KIND,
        code=code,
        check_at=f"{settings.SITE_URL}/r/{code}/",
        submission=submission.pk,
        attempt=submission.number,
        course=str(enrollment.offering),
        assignment=assignment.label,
        student=enrollment.user.name,
        email=enrollment.user.email,
        received_at=_utc(submission.created_at),
        received_here=f"{date_format(here, 'D j M Y, H:i:s T')} ({enrollment.offering.time_zone})",
        due_at=_utc(due_of(submission).due_at),
        late=submission.late,
        waiting_ahead=waiting_ahead,
        sha256=submission.sha256,
        files=tuple(StatedFile(file.name, file.size, file.sha256) for file in submission.files.all()),
        team=submission.shared_as,
        authors=authors_of(submission) if submission.is_shared else (),
    )


def check_text(text: str) -> Finding:
    """Whether the receipt in `text` is genuine, and what the database knows of it."""
    try:
        statement = receipts.read(text)
    except NotGenuine as reason:
        return Finding(f"This is not a genuine receipt. {reason}")
    standing = standing_of(statement)
    return Finding(SENTENCES[standing], statement, standing)


def check_code(code: str) -> Finding | None:
    """The same for the receipt that a short address names; None where the database has no such receipt."""
    found = SignedReceipt.objects.filter(code=code).first()
    return check_text(found.text) if found else None


def standing_of(statement: Statement) -> Standing:
    """Compare a genuine receipt with the database. Numbers are given again after a restore, so the receipt's own code decides."""
    found = SignedReceipt.objects.select_related("submission__enrollment__user").filter(code=statement.code).first()
    if found is None:
        return Standing.MISSING
    submission = found.submission
    files = {(file.name, file.size, file.sha256) for file in submission.files.all()}
    same = (
        submission.pk == statement.submission
        and submission.number == statement.attempt
        and submission.sha256 == statement.sha256
        and submission.late == statement.late
        and _utc(submission.created_at) == statement.received_at
        and files == {(file.name, file.size, file.sha256) for file in statement.files}
    )
    return Standing.PRESENT if same else Standing.DIFFERS


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
