"""A large class for the gradebook's benchmark, written in bulk: what a term leaves behind, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random

from accounts.models import User
from assignments.models import Assignment
from config import clock
from courses.models import Enrollment, Offering, Role
from gradebook.models import Decision
from gradebook.presets import weights
from gradebook.services import create_scheme
from grader.contract import CheckResult, GradeReport, Outcome, Suite, Task
from grading.models import GradeReport as StoredReport
from grading.models import GradingJob, Lane
from projects.deliverables.models import Stage
from projects.models import Membership, Team
from reviews.marking.models import Mark, Review
from reviews.models import RubricScore
from submissions.models import Author, Source, Submission
from tests.factories import (
    AssignmentFactory,
    EnrollmentFactory,
    OfferingFactory,
    ReadingFactory,
    deliverable,
    verdict_of,
)

LABS, ATTEMPTS, READINGS = 3, 3, 10
REPORTS = (Stage.PROPOSAL, Stage.MIDTERM, Stage.FINAL)


@dataclass(frozen=True)
class LargeClass:
    """The offering and its people; `rows` is how many submissions, reports and marks there are."""

    offering: Offering
    instructor: Enrollment
    students: list[Enrollment]
    rows: int


def make(students: int) -> LargeClass:
    """The same every time."""
    random = Random(498)
    offering = OfferingFactory()
    create_scheme(offering=offering, weights=weights("A"))
    names = [f"Student {number:03}" for number in range(students)]
    users = User.objects.bulk_create(
        User(name=name, sort_name=name, email=f"s{number}@example.edu") for number, name in enumerate(names)
    )
    people = Enrollment.objects.bulk_create(Enrollment(offering=offering, user=user) for user in users)
    instructor = EnrollmentFactory(offering=offering, role=Role.INSTRUCTOR)
    due = clock.now() - timedelta(days=1)
    labs = [AssignmentFactory(offering=offering, number=n, slug=f"lab-{n}", due_at=due) for n in range(1, LABS + 1)]
    readings = [
        ReadingFactory(assignment__offering=offering, assignment__number=n, assignment__slug=f"r-{n}").assignment
        for n in range(1, READINGS + 1)
    ]
    for lab in labs:
        _lab(lab, people, random)
    for reading in readings:
        _by_hand(reading, people, random)
    teams = [people[at : at + 3] for at in range(0, students, 3)]
    _teams(offering, teams)
    for stage in REPORTS:
        _by_hand(deliverable(offering, stage), [members[0] for members in teams], random, teams)
    Decision.objects.bulk_create(
        Decision(enrollment=student, assignment=labs[0], excused=True, reason="ill", made_at=due)
        for student in people[::20]
    )
    return LargeClass(offering, instructor, people, _rows())


def _rows() -> int:
    return sum(model.objects.count() for model in (Submission, StoredReport, Mark, Author))


def _submissions(work: Assignment, people: list[Enrollment], number: int) -> list[Submission]:
    made = (
        Submission(
            assignment=work,
            enrollment=student,
            number=number,
            created_at=clock.now() - timedelta(days=2),
            late=False,
            sha256="0" * 64,
            source=Source.UPLOAD,
        )
        for student in people
    )
    return Submission.objects.bulk_create(made)


def _lab(lab: Assignment, people: list[Enrollment], random: Random) -> None:
    for number in range(1, ATTEMPTS + 1):
        work = _submissions(lab, [student for student in people if random.random() < 0.9], number)
        now = clock.now()
        jobs = GradingJob.objects.bulk_create(
            GradingJob(
                submission=row,
                lab_id=lab.lab_id,
                student_id=row.enrollment_id,
                lane=Lane.GRADING,
                suite=Suite.FULL,
                seed=1,
                requested_at=now,
                in_line_at=now,
                started_at=now,
                finished_at=now,
            )
            for row in work
        )
        scores = [(random.choice([0.0, 3.0, 6.0]), random.choice([0.0, 2.0, 4.0])) for _ in jobs]
        StoredReport.objects.bulk_create(
            StoredReport(
                job=job,
                outcome=Outcome.GRADED,
                score=Decimal(str(first + second)),
                max_score=Decimal(10),
                data=_report(first, second).to_json().decode(),
                created_at=now,
            )
            for job, (first, second) in zip(jobs, scores, strict=True)
        )
        item = lab.rubric.items.get(task_id="1")
        RubricScore.objects.bulk_create(
            RubricScore(
                submission=row,
                item=item,
                title=item.title,
                points=item.points,
                score=Decimal(5),
                reason="by hand",
                overridden_at=now,
            )
            for row in work[::15]
        )


def _report(first: float, second: float) -> GradeReport:
    """Thirty checks, as a real lab has them."""
    checks = tuple(
        CheckResult(f"adds-{number}", "1", "adds two arrays", verdict_of(first, 6.0), first / 15, 0.4, "", hidden=False)
        for number in range(15)
    ) + tuple(
        CheckResult(f"scales-{number}", "2", "scales", verdict_of(second, 4.0), second / 15, 0.4, "", hidden=True)
        for number in range(15)
    )
    tasks = (Task("1", "Adding", 6.0), Task("2", "Scaling", 4.0))
    return GradeReport(Outcome.GRADED, first + second, 10.0, seed=1, checks=checks, tasks=tasks, lab="tiny")


def _by_hand(
    work: Assignment, people: list[Enrollment], random: Random, teams: list[list[Enrollment]] | None = None
) -> None:
    handed = [student for student in people if random.random() < 0.95]
    rows = _submissions(work, handed, 1)
    if teams:
        by_first = {members[0].pk: members for members in teams}
        Author.objects.bulk_create(
            Author(submission=row, enrollment=member) for row in rows for member in by_first[row.enrollment_id]
        )
    graded = [row for row in rows if random.random() < 0.95]
    reviews = Review.objects.bulk_create(Review(submission=row, saved_at=clock.now()) for row in graded)
    items = list(work.rubric.items.all())
    Mark.objects.bulk_create(
        Mark(
            review=review,
            item=item,
            title=item.title,
            points=item.points,
            score=Decimal(random.randint(0, int(item.points))),
        )
        for review in reviews
        for item in items
    )


def _teams(offering: Offering, teams: list[list[Enrollment]]) -> None:
    then = clock.now() - timedelta(days=60)
    made = Team.objects.bulk_create(
        Team(offering=offering, name=f"Team {number}", created_at=then) for number in range(len(teams))
    )
    Membership.objects.bulk_create(
        Membership(team=team, enrollment=member, joined_at=then)
        for team, members in zip(made, teams, strict=True)
        for member in members
    )
