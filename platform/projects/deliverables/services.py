"""Handing in a deliverable: one submission for all who are in the team at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from projects.deliverables.crew import Crew, crew_of
from projects.deliverables.models import SubmissionLink, TeamSubmission
from projects.deliverables.uploads import check_code, check_pdf, check_url
from projects.format.services import request_check
from projects.teams.rules import hold_teams
from submissions.models import Source, Submission
from submissions.services import (
    IncomingFile,
    StoredFile,
    SubmissionRefused,
    check_may_submit,
    click_of,
    record_submission,
    sent_in,
    store_files,
    submission_of_click,
)


@dataclass(frozen=True)
class Work:
    """What was posted: the PDF, the zip and the address, each of which may lack."""

    pdf: IncomingFile | None
    code: IncomingFile | None = None
    url: str = ""


@dataclass(frozen=True)
class _Received:
    """What arrived, once its bytes are durable."""

    files: list[StoredFile]
    url: str
    click: str | None
    at: datetime


def hand_in(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    work: Work,
    client_token: str | None = None,
    received_at: datetime | None = None,
) -> Submission:
    """Accept a team's work from one of its members; raises `SubmissionRefused`, and then nothing is recorded.

    Lateness is decided by `received_at` (without it, by the moment of the call), membership by the moment at which it is recorded. The
    same work with the same `client_token` of the same student again returns the submission that it made before.
    """
    received_at = received_at or clock.now()
    click = click_of(client_token, work.url.encode(), *sent_in(file for file in (work.pdf, work.code) if file))
    if (earlier := submission_of_click(enrollment, click)) is not None:
        return earlier
    # before megabytes are looked at and stored; decided again once the teams are held
    check_may_hand_in(assignment, enrollment, crew_of(enrollment), received_at)
    url = check_url(work.url)
    files = [check_pdf(work.pdf), *([check_code(work.code)] if work.code else [])]
    stored = store_files(_with_plain_names(files))
    try:
        return _record(assignment, enrollment, _Received(stored, url, click, received_at))
    except IntegrityError:
        # the second of two clicks that arrived together: the first one's submission stands
        if (earlier := submission_of_click(enrollment, click)) is None:
            raise
        return earlier


def check_may_hand_in(assignment: Assignment, enrollment: Enrollment, crew: Crew, received_at: datetime) -> None:
    """Raise `SubmissionRefused` unless this student may hand in for these people what arrived at `received_at`."""
    if enrollment.is_student and crew.why_not:
        raise SubmissionRefused(f"{crew.why_not} Nothing was handed in.")
    check_may_submit(assignment=assignment, enrollment=enrollment, received_at=received_at, authors=crew.members)


@transaction.atomic
def _record(assignment: Assignment, enrollment: Enrollment, received: _Received) -> Submission:
    """All rows at once, while nobody joins or leaves."""
    hold_teams(assignment.offering)
    crew = crew_of(enrollment)
    check_may_hand_in(assignment, enrollment, crew, received.at)
    made = record_submission(
        assignment=assignment,
        enrollment=enrollment,
        files=received.files,
        source=Source.UPLOAD,
        client_token=received.click,
        received_at=received.at,
        waiting_ahead=None,
        authors=crew.members,
        shared_as=crew.name,
    )
    if crew.team is not None:
        TeamSubmission.objects.create(submission=made, team=crew.team)
    for file in made.files.all():
        if file.is_pdf:
            request_check(file=file)
    if received.url:
        SubmissionLink.objects.create(submission=made, url=received.url)
    return made


def _with_plain_names(files: list[IncomingFile]) -> list[IncomingFile]:
    """Without the NULs that PostgreSQL does not store."""
    return [IncomingFile(file.name.replace("\0", ""), file.data) for file in files]
