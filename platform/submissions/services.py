"""Receiving work: practice runs and submissions. The job that grades a lab is made by grading, one layer above."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction

from assignments.due.rules import DueDate, in_full
from assignments.due.selectors import due_together
from assignments.models import Assignment, Kind
from courses.models import Enrollment
from grader.api import check_upload
from grader.contract import Refusal
from submissions import storage
from submissions.issuing import issue_receipt
from submissions.models import Author, PracticeRun, Submission, SubmittedFile
from submissions.naming import named_files
from submissions.shared import is_of

log = structlog.get_logger(__name__)
TOKEN_MAX = 39  # of a page's token; the rest of the field holds the hash of what was sent


# by whether it is a lab
_ONLY_STUDENTS = {
    True: "Only students hand in. As course staff you can run the checks.",
    False: "Only students hand in; course staff grade.",
}


class SubmissionRefused(Exception):  # noqa: N818 - an answer to the student, not a fault
    """Work that is not accepted. The text is one or two sentences for the student; nothing was stored.

    Work that came late also brings its two moments, so that a page can tell them by the student's own clock.
    """

    def __init__(self, text: str, *, due_at: datetime | None = None, received_at: datetime | None = None) -> None:
        super().__init__(text)
        self.due_at, self.received_at = due_at, received_at


@dataclass(frozen=True)
class IncomingFile:
    """A file as it arrived."""

    name: str
    data: bytes


@dataclass(frozen=True)
class StoredFile:
    """A file whose bytes are durable."""

    name: str
    sha256: str
    size: int


def check_may_submit(
    *, assignment: Assignment, enrollment: Enrollment, received_at: datetime, authors: Sequence[Enrollment] = ()
) -> None:
    """Raise `SubmissionRefused` unless this student may hand in what arrived at `received_at`, together with `authors` if there are any."""
    if not enrollment.is_student:
        raise SubmissionRefused(_ONLY_STUDENTS[assignment.kind == Kind.LAB])
    if not (assignment.is_published and assignment.is_open(received_at)):
        raise SubmissionRefused(f"{assignment.label} is not open yet, so nothing can be handed in.")
    due = due_together(assignment, [author.pk for author in authors] or [enrollment.pk], viewer=enrollment.pk)
    if received_at.replace(microsecond=0) > due.due_at:
        raise _too_late(assignment, due, received_at)


def receive_files(*, assignment: Assignment, files: Sequence[IncomingFile]) -> list[StoredFile]:
    """Check the files as the grader will read them, then make them durable; raises `SubmissionRefused` before storing any."""
    assert assignment.lab is not None  # the caller asked check_may_submit or has a lab
    if any(len(file.name) > 200 for file in files):
        raise SubmissionRefused(
            "A file's name is longer than 200 characters. Give it a shorter name and send it again."
        )
    try:
        check_upload(assignment.lab.folder, [(file.name, file.data) for file in files])
    except Refusal as refusal:
        raise SubmissionRefused(str(refusal)) from refusal
    return store_files(files)


def store_files(files: Sequence[IncomingFile]) -> list[StoredFile]:
    """Make files durable that were checked before; raises `SubmissionRefused` where the store is full or away."""
    try:
        return [StoredFile(file.name, storage.store(file.data), len(file.data)) for file in files]
    except OSError as error:
        log.exception("files_not_stored", files=len(files))
        raise SubmissionRefused(
            "The server could not store your files, so nothing was handed in. That is our fault; your draft is kept. "
            "Try again in a minute, and tell your course's staff if it goes on."
        ) from error


def click_of(client_token: str | None, *sent: bytes) -> str | None:
    """What one click is known by: the token of its page, and what it sent.

    Who goes back to a page presses its button with the same token; other work sent with it is another click, and not a repeated request.
    """
    if not client_token:
        return None
    parts = b"".join(hashlib.sha256(part).digest() for part in sent)
    return f"{client_token[:TOKEN_MAX]}:{hashlib.sha256(parts).hexdigest()[:24]}"


def sent_in(files: Iterable[IncomingFile]) -> list[bytes]:
    """Names and bytes, for `click_of`."""
    return [part for file in files for part in (file.name.encode(), file.data)]


def submission_of_click(enrollment: Enrollment, click: str | None) -> Submission | None:
    """What an earlier request of the same click made."""
    return enrollment.submissions.filter(client_token=click).first() if click else None


@transaction.atomic
def record_submission(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    files: Sequence[StoredFile],
    source: str,
    client_token: str | None,
    received_at: datetime,
    waiting_ahead: int | None,
    mail: bool = True,
    authors: Sequence[Enrollment] = (),
    shared_as: str = "",
) -> Submission:
    """Add the submission's rows and its receipt, numbered after the latest attempt. The files are durable already.

    `waiting_ahead` is how many submissions wait to be graded when this one comes; None where no queue grades it. `authors` are all
    whose work a project's submission is, `enrollment` among them, and `shared_as` is their team's name; their attempts are numbered
    together.
    """
    # attempts are numbered one at a time, also where transactions run side by side; locks are taken in one order
    people = sorted({enrollment.pk, *(author.pk for author in authors)})
    list(Enrollment.objects.select_for_update().filter(pk__in=people).order_by("pk"))
    earlier = assignment.submissions.filter(is_of(people))
    latest = earlier.order_by("-number").first()
    submission = Submission.objects.create(
        assignment=assignment,
        enrollment=enrollment,
        number=latest.number + 1 if latest else 1,
        created_at=received_at,
        late=received_at.replace(microsecond=0) > assignment.due_at,
        sha256=manifest_sha256(files),
        source=source,
        shared_as=shared_as,
        client_token=client_token or None,
    )
    SubmittedFile.objects.bulk_create(
        SubmittedFile(submission=submission, name=file.name, sha256=file.sha256, size=file.size) for file in files
    )
    Author.objects.bulk_create(Author(submission=submission, enrollment=author) for author in authors)
    issue_receipt(submission=submission, waiting_ahead=waiting_ahead, mail=mail)
    return submission


@transaction.atomic
def record_practice_run(
    *, assignment: Assignment, enrollment: Enrollment, files: Sequence[StoredFile], received_at: datetime
) -> PracticeRun:
    """Add a practice run, and forget all but the latest ones of this student at this assignment."""
    run = PracticeRun.objects.create(assignment=assignment, enrollment=enrollment, created_at=received_at)
    SubmittedFile.objects.bulk_create(
        SubmittedFile(practice_run=run, name=file.name, sha256=file.sha256, size=file.size) for file in files
    )
    runs = PracticeRun.objects.filter(assignment=assignment, enrollment=enrollment).order_by("-pk")
    kept = list(runs.values_list("pk", flat=True)[: settings.PRACTICE_RUNS_KEPT])
    runs.exclude(pk__in=kept).delete()
    return run


def forget_unused_files() -> int:
    """Delete bytes that no row names any more, as of practice runs that are not kept; returns how many. Submissions' files always stay."""
    return storage.prune(keep=named_files(), older_than_s=settings.UNUSED_FILES_KEPT_S)


def manifest_sha256(files: Sequence[StoredFile]) -> str:
    """SHA-256 over the canonical list of the files: sorted by name, as compact JSON with name, sha256 and size."""
    listed = sorted((file.name, file.sha256, file.size) for file in files)
    canonical = json.dumps(
        [{"name": name, "sha256": sha256, "size": size} for name, sha256, size in listed],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _too_late(assignment: Assignment, due: DueDate, received_at: datetime) -> SubmissionRefused:
    offering = assignment.offering
    arrived = in_full(received_at, offering.zone)
    return SubmissionRefused(
        f"{assignment.label} was d{due.sentence[1:]}; this arrived {arrived} by the server's clock. Both times are those of "
        f"{offering.time_zone}. Only work in time is accepted, so nothing was stored. Ask your instructor if you need an extension.",
        due_at=due.due_at.astimezone(offering.zone),
        received_at=received_at.astimezone(offering.zone),
    )
