"""People and Lab 1 submissions in every state: not started, draft, several attempts, overridden, failed, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from django.conf import settings
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from courses.models import Enrollment, Offering
from grader.contract import GradeReport as Report
from grader.contract import SubmittedFile, Suite
from grading.models import GradeReport, GradingJob, Lane
from reviews.models import RubricItem
from reviews.scores import auto_scores
from reviews.services import override, release
from submissions import storage
from submissions.models import Draft, Source, Submission
from submissions.services import IncomingFile, StoredFile, receive_files, record_submission
from web.seed.attendance import seed_attendance
from web.seed.bank import seed_bank
from web.seed.deliverables import seed_deliverables
from web.seed.exchange import seed_exchange
from web.seed.formats import seed_formats
from web.seed.people import TAS, address, seed_people
from web.seed.policy import seed_policy
from web.seed.presentations import seed_presentations
from web.seed.summaries import seed_summaries
from web.seed.teams import seed_teams
from web.seed.variants import Variant, grade_variants, notebook_of, variants_of

FIRST_HAND_IN = timedelta(days=6)  # after the lab opens
LAST_HAND_IN = timedelta(days=19)
NOT_STARTED, DRAFTING = 7, 5


@dataclass(frozen=True)
class Stage:
    """A variant with its stored file and its report."""

    variant: Variant
    file: StoredFile
    report: Report


def seed_demo(offering: Offering, password: str) -> int:
    """Fill the offering; returns how many submissions were made. A second time makes none."""
    with transaction.atomic():
        students = seed_people(offering, password)
        seed_bank(offering, User.objects.get(email=address(TAS[0])))
        seed_teams(offering, students)
        seed_attendance(offering, students)
        seed_presentations(offering, students)
        seed_exchange(offering, students)
    made = seed_summaries(offering, students) + seed_deliverables(offering)
    seed_formats(offering)
    lab = offering.assignments.get(slug="autodiff")
    if lab.submissions.exists() or lab.lab is None:
        return made
    stages = _stages(lab)
    with transaction.atomic():
        _submissions(lab, students, stages)
        seed_policy(offering)
    return made + lab.submissions.count()


def _stages(lab: Assignment) -> list[Stage]:
    """Each variant, stored and graded, from the lowest score to the highest."""
    assert lab.lab is not None
    folder = lab.lab.folder
    variants = variants_of(folder, Path(settings.BASE_DIR) / "labs" / lab.lab.slug / "mutants")
    files = [
        receive_files(assignment=lab, files=[IncomingFile(f"{lab.slug}.ipynb", notebook_of(folder, variant))])[0]
        for variant in variants
    ]
    specs = [SubmittedFile(file.name, str(storage.path(file.sha256)), file.sha256) for file in files]
    reports = grade_variants(folder, specs, sandbox=settings.SANDBOX, approximate=settings.ALLOW_APPROXIMATE_LIMITS)
    stages = [Stage(*parts) for parts in zip(variants, files, reports, strict=True)]
    return sorted(stages, key=lambda stage: stage.report.score)


def _submissions(lab: Assignment, students: Sequence[Enrollment], stages: Sequence[Stage]) -> None:
    """The first student gets the longest history; the last ones have not begun."""
    random = Random(498)  # noqa: S311 - the demo is the same every time
    writing = students[: len(students) - NOT_STARTED - DRAFTING]
    for student in students[len(writing) : len(writing) + DRAFTING]:
        _draft(lab, student, stages[1].variant, lab.opens_at + random.random() * LAST_HAND_IN)
    for position, student in enumerate(writing):
        attempts = 4 if position == 0 else random.choice((1, 1, 2, 2, 3))
        final = len(stages) - 1 if position == 0 else random.randrange(2, len(stages))
        reached = [*sorted(random.choices(range(final + 1), k=attempts - 1)), final]
        moments = sorted(lab.opens_at + _between(random) for _ in reached)
        made = [_graded(lab, student, stages[stage], at) for stage, at in zip(reached, moments, strict=True)]
        _draft(lab, student, stages[final].variant, moments[-1])
        _special(lab, position, student, made[-1], stages[final])


def _special(lab: Assignment, position: int, student: Enrollment, latest: Submission, stage: Stage) -> None:
    """One of each rare state, for the students who come first in the list."""
    ta = User.objects.get(email=address(TAS[0]))
    if position == 0:
        _override(
            latest, stage, by=ta, reason="The derivation in your comments is right; the sign slipped in typing it."
        )
        release(submission=latest, by=ta)
    elif position == 1:
        _override(latest, stage, by=ta, reason="Partial credit: the idea is right and one axis is missing.")
    elif position == 2:
        _failed(lab, student, stage)
    elif position == 3:
        _cancelled(lab, student, stage)


def _between(random: Random) -> timedelta:
    return FIRST_HAND_IN + random.random() * (LAST_HAND_IN - FIRST_HAND_IN)


def _draft(lab: Assignment, student: Enrollment, variant: Variant, at: datetime) -> None:
    Draft.objects.get_or_create(
        assignment=lab, enrollment=student, defaults={"cells": variant.sources, "revision": 1, "updated_at": at}
    )


def _submit(lab: Assignment, student: Enrollment, stage: Stage, at: datetime) -> Submission:
    return record_submission(
        assignment=lab,
        enrollment=student,
        files=[stage.file],
        source=Source.EDITOR,
        client_token=None,
        received_at=at,
        waiting_ahead=0,
        mail=False,
    )


def _graded(lab: Assignment, student: Enrollment, stage: Stage, at: datetime) -> Submission:
    """A submission with a job of its own and the report that its content got."""
    submission = _submit(lab, student, stage, at)
    started = at + timedelta(seconds=1)
    job = _job(submission, stage, at, started_at=started)
    finished = started + timedelta(milliseconds=stage.report.duration_ms)
    GradingJob.objects.filter(pk=job.pk).update(finished_at=finished)
    GradeReport.objects.create(
        job=job,
        outcome=stage.report.outcome,
        score=Decimal(str(stage.report.score)),
        max_score=Decimal(str(stage.report.max_score)),
        data=stage.report.to_json().decode(),
        created_at=finished,
    )
    return submission


def _failed(lab: Assignment, student: Enrollment, stage: Stage) -> None:
    """A submission that our grader failed on, twice."""
    at = lab.opens_at + LAST_HAND_IN - timedelta(hours=3)
    job = _job(_submit(lab, student, stage, at), stage, at, started_at=at + timedelta(seconds=1), attempt=2)
    error = "the sandbox could not be opened: no free cgroup (both attempts)"
    GradingJob.objects.filter(pk=job.pk).update(failed_at=at + timedelta(seconds=4), error=error)


def _cancelled(lab: Assignment, student: Enrollment, stage: Stage) -> None:
    """A submission whose run the student stopped."""
    at = lab.opens_at + LAST_HAND_IN - timedelta(hours=2)
    job = _job(_submit(lab, student, stage, at), stage, at)
    GradingJob.objects.filter(pk=job.pk).update(cancelled_at=at + timedelta(seconds=9))


def _job(
    submission: Submission, stage: Stage, at: datetime, *, started_at: datetime | None = None, attempt: int = 1
) -> GradingJob:
    lab = submission.assignment.lab
    assert lab is not None  # it was published before anybody submitted
    return GradingJob.objects.create(
        submission=submission,
        student=submission.enrollment,
        lane=Lane.GRADING,
        lab=lab,
        suite=Suite.FULL,
        seed=stage.report.seed,
        requested_at=at,
        queued_at=at,
        in_line_at=at,
        started_at=started_at,
        dispatch_count=1,
        fence=attempt if started_at else 0,
        attempt=attempt if started_at else 0,
        worker="seed" if started_at else "",
    )


def _override(submission: Submission, stage: Stage, *, by: User, reason: str) -> None:
    """One point more, or one less where all were given, on the first task."""
    item = RubricItem.objects.filter(rubric__assignment=submission.assignment).order_by("position").first()
    assert item is not None  # the seed made the rubric with the lab
    auto = auto_scores(stage.report)[item.task_id]
    score = auto + 1 if auto + 1 <= item.points else auto - 1
    override(submission=submission, item=item, score=score, reason=reason, by=by)
