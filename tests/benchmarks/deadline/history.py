"""Graded submissions as they lie in the database after weeks of a course: same rows as by hand, written many at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice, product

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from grader.contract import CheckResult, Outcome, Suite, Task, Verdict
from grader.contract import GradeReport as Report
from grading.models import GradeReport, GradingJob, Lane
from submissions.models import Source, Submission, SubmittedFile

CHUNK = 1000


def hand_in_history(assignment: Assignment, students: Sequence[Enrollment], each: int) -> None:
    """`each` graded submissions of every student; their files are not kept, since no page here opens one."""
    wanted = product(students, range(1, each + 1))
    while chunk := list(islice(wanted, CHUNK)):
        submissions = Submission.objects.bulk_create(_submission(assignment, *one) for one in chunk)
        SubmittedFile.objects.bulk_create(
            SubmittedFile(submission=one, name="work.py", sha256=one.sha256, size=70) for one in submissions
        )
        jobs = GradingJob.objects.bulk_create(map(_job, submissions))
        GradeReport.objects.bulk_create(_reports(jobs))


def _submission(assignment: Assignment, student: Enrollment, number: int) -> Submission:
    return Submission(
        assignment=assignment,
        enrollment=student,
        number=number,
        created_at=clock.now() - timedelta(days=1),
        late=False,
        sha256=hashlib.sha256(f"{student.pk}/{number}".encode()).hexdigest(),
        source=Source.UPLOAD,
    )


def _job(submission: Submission) -> GradingJob:
    at = submission.created_at
    return GradingJob(
        submission=submission,
        student=submission.enrollment,
        lane=Lane.GRADING,
        lab=submission.assignment.lab,
        suite=Suite.FULL,
        seed=submission.pk,
        requested_at=at,
        queued_at=at,
        in_line_at=at,
        started_at=at,
        finished_at=at,
        fence=1,
        attempt=1,
    )


def _reports(jobs: Sequence[GradingJob]) -> Iterator[GradeReport]:
    found = Report(
        Outcome.GRADED,
        10.0,
        10.0,
        seed=1,
        checks=tuple(
            CheckResult(f"check-{number}", "1", "adds two arrays", Verdict.PASSED, 2.5, 2.5, "a + b", hidden=False)
            for number in range(4)
        ),
        tasks=(Task("1", "Adding", 10.0),),
        lab="tiny",
    )
    text = found.to_json().decode()
    for job in jobs:
        yield GradeReport(
            job=job, outcome=Outcome.GRADED, score="10", max_score="10", data=text, created_at=job.requested_at
        )
