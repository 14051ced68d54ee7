"""Objects for tests, all in one place. A lab is published for real, from the tiny lab that the grader's tests use."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.models import User
from assignments.models import Assignment, Extension, Kind, Lab
from assignments.services import assign_lab, publish_lab
from attendance.models import Attendance, CheckInWindow, Presence
from config import clock
from courses.models import Course, Enrollment, Offering, Role, Session
from grader.api import notebook_from_cells
from grader.contract import CheckResult, GradeReport, Outcome, Task, Verdict
from grading import claims
from grading.models import GradingJob, Worker
from grading.runner import run_job
from grading.services import hand_in, run_checks
from projects.deliverables.models import Stage
from projects.models import Deliverable, Membership, Rating, Talk, Team, TeamSubmission
from projects.presentations.models import Criterion
from projects.presentations.opening import close_ratings, open_ratings
from projects.presentations.rating import save_rating, save_staff_rating
from readings.models import Paper, Reading
from reviews.marking.models import Purpose, Review
from reviews.marking.services import GivenMark, save_review
from reviews.models import Rubric, RubricItem
from reviews.rubrics import give_summary_rubric
from reviews.services import sync_rubric
from submissions import storage
from submissions.models import Source, Submission
from submissions.services import IncomingFile, StoredFile, record_submission
from submissions.texts import file_name

TINY = Path(__file__).parent / "grader" / "tiny_lab"
# all 10 points; 6 of 10, of which 4 are in a public check; none
RIGHT = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a * factor\n"
HALF = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a\n"
WRONG = "def add(a, b):\n    return None\n\ndef scale(a, factor):\n    return a\n"


class UserFactory(DjangoModelFactory):
    """Someone."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Person {n:03}")
    sort_name = factory.LazyAttribute(lambda user: ", ".join(reversed(user.name.split())))
    email = factory.LazyAttribute(lambda user: f"{user.name.lower().replace(' ', '.')}@example.edu")
    password = factory.django.Password("a long password")


class CourseFactory(DjangoModelFactory):
    """A course."""

    class Meta:
        model = Course

    code = factory.Sequence(lambda n: f"CS {n}")
    title = "Machine Learning System"


class OfferingFactory(DjangoModelFactory):
    """An offering that is under way."""

    class Meta:
        model = Offering

    course = factory.SubFactory(CourseFactory)
    slug = factory.Sequence(lambda n: f"cs-{n}")
    term = "Spring"
    starts_on = date(2026, 1, 20)
    ends_on = factory.LazyFunction(lambda: timezone.localdate(clock.now()) + timedelta(days=120))


class EnrollmentFactory(DjangoModelFactory):
    """A student in an offering."""

    class Meta:
        model = Enrollment

    offering = factory.SubFactory(OfferingFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.STUDENT


class SessionFactory(DjangoModelFactory):
    """A class meeting."""

    class Meta:
        model = Session

    offering = factory.SubFactory(OfferingFactory)
    week = factory.Sequence(lambda n: n + 10_000)  # none that a test names
    week_label = factory.LazyAttribute(lambda session: str(session.week))
    number = 1
    date = factory.LazyAttribute(lambda session: session.offering.day_of(clock.now()))  # the class's day, not UTC's
    topic = "AutoDiff"


class AssignmentFactory(DjangoModelFactory):
    """A lab that opened a week ago and is due in a week, with the tiny lab published and its rubric made."""

    class Meta:
        model = Assignment
        skip_postgeneration_save = True

    offering = factory.SubFactory(OfferingFactory)
    kind = Kind.LAB
    slug = factory.Sequence(lambda n: f"a-lab-{n}")  # none that a test names
    number = factory.Sequence(lambda n: n + 1)
    title = "Tiny"
    opens_at = factory.LazyFunction(lambda: clock.now() - timedelta(days=7))
    due_at = factory.LazyFunction(lambda: clock.now() + timedelta(days=7))
    points = Decimal(10)
    lab = factory.LazyFunction(lambda: publish_lab(TINY))

    @factory.post_generation
    def rubric(self, _create, _extracted, **_kwargs):
        if self.lab is not None:
            sync_rubric(assignment=self)
        elif self.kind == Kind.READING:
            give_summary_rubric(assignment=self)


class ExtensionFactory(DjangoModelFactory):
    """Three more days."""

    class Meta:
        model = Extension

    assignment = factory.SubFactory(AssignmentFactory)
    enrollment = factory.SubFactory(EnrollmentFactory)
    due_at = factory.LazyAttribute(lambda extension: extension.assignment.due_at + timedelta(days=3))
    reason = "ill"
    granted_at = factory.LazyAttribute(lambda _: clock.now())


class WorkerFactory(DjangoModelFactory):
    """A worker that has proved its walls and beats."""

    class Meta:
        model = Worker

    pid = factory.Sequence(lambda n: 1000 + n)
    host = "grader-1"
    name = factory.LazyAttribute(lambda worker: f"{worker.host}:{worker.pid}:test")
    node = factory.LazyAttribute(lambda worker: f"celery-{worker.pid}@{worker.host}")
    concurrency = 2
    queues = "interactive,grading"
    sandbox = "bubblewrap"
    grader_version = "0123456789abcdef"
    started_at = factory.LazyFunction(lambda: clock.now() - timedelta(hours=1))
    seen_at = factory.LazyAttribute(lambda _: clock.now())  # a test may move the clock
    tested_at = factory.LazyAttribute(lambda worker: worker.started_at)


class ReadingFactory(DjangoModelFactory):
    """A paper on the reading list."""

    class Meta:
        model = Reading

    paper = factory.LazyAttribute(
        lambda reading: Paper.objects.create(title=f"Paper {reading.position}", venue="SC", year=2021)
    )
    position = factory.Sequence(lambda n: n + 1)
    assignment = factory.SubFactory(
        AssignmentFactory, kind=Kind.READING, lab=None, slug=factory.Sequence(lambda n: f"a-reading-{n}")
    )


def person(offering: Offering, role: str = Role.STUDENT, **user: str) -> Enrollment:
    """Someone in the offering."""
    return EnrollmentFactory(offering=offering, role=role, user=UserFactory(**user))


def notebook(source: str) -> bytes:
    """The tiny lab's notebook with this source in its solution cells."""
    from grader.api import notebook_cells

    keys = [cell.key for cell in notebook_cells(TINY) if cell.kind in {"solution", "code"}]
    return notebook_from_cells(TINY, {keys[0]: source, **dict.fromkeys(keys[1:], "")})


def script(source: str = RIGHT, name: str = "work.py") -> IncomingFile:
    """A .py file as it arrives."""
    return IncomingFile(name, source.encode())


def submit(assignment: Assignment, enrollment: Enrollment, source: str = RIGHT, **options: str) -> Submission:
    """Hand in through the front door; the job waits."""
    options.setdefault("source", Source.UPLOAD)
    return hand_in(assignment=assignment, enrollment=enrollment, files=[script(source)], **options)


def summary(
    reading: Assignment, enrollment: Enrollment, texts: dict[str, str] | None = None, *, at: datetime | None = None
) -> Submission:
    """Hand in a summary with these texts, by item; without any, a sentence each."""
    texts = texts or {item.task_id: f"{item.title}, as I see it." for item in reading.rubric.items.all()}
    files = [
        StoredFile(file_name(position, item), storage.store(text.encode()), len(text.encode()))
        for position, (item, text) in enumerate(texts.items(), start=1)
    ]
    return record_submission(
        assignment=reading,
        enrollment=enrollment,
        files=files,
        source=Source.EDITOR,
        client_token=None,
        received_at=at or clock.now(),
        waiting_ahead=None,
        mail=False,
    )


def team(offering: Offering, *members: Enrollment, name: str = "") -> Team:
    """A team of these students, formed a month ago."""
    then = clock.now() - timedelta(days=30)
    number = offering.teams.count() + 1
    made = Team.objects.create(offering=offering, name=name or f"Team {number}", created_at=then)
    Membership.objects.bulk_create(Membership(team=made, enrollment=member, joined_at=then) for member in members)
    return made


def check_in_window(
    session: Session, *, opened_at: datetime | None = None, minutes: float = 10, every_s: int = 20
) -> CheckInWindow:
    """A check-in of the session, open from now on."""
    at = opened_at or clock.now()
    closes_at = at + timedelta(minutes=minutes)
    return CheckInWindow.objects.create(
        session=session, secret=f"{session.pk} {at.isoformat()}", every_s=every_s, opened_at=at, closes_at=closes_at
    )


def recorded(
    session: Session, enrollment: Enrollment, presence: str = Presence.PRESENT, reason: str = ""
) -> Attendance:
    """How one student stands in one session."""
    return Attendance.objects.create(
        session=session, enrollment=enrollment, presence=presence, recorded_at=clock.now(), reason=reason
    )


def deliverable(offering: Offering, stage: str = Stage.PROPOSAL, **assignment: object) -> Assignment:
    """A deliverable that opened a week ago and is due in a week, with one item of ten points to mark by hand; slides have none."""
    rated = stage == Stage.PRESENTATION
    named = {"slug": stage, "title": Stage(stage).label, "scored_elsewhere": rated, **assignment}
    made = AssignmentFactory(offering=offering, kind=Kind.DELIVERABLE, lab=None, **named)
    Deliverable.objects.create(assignment=made, stage=stage)
    if not rated:
        rubric = Rubric.objects.create(assignment=made)
        RubricItem.objects.create(rubric=rubric, task_id="whole", title="The whole", points=Decimal(10), position=1)
    return made


def team_work(assignment: Assignment, by: Team, *, data: bytes = b"%PDF-1.7", at: datetime | None = None) -> Submission:
    """Hand in a file for all current members of the team; the first one presses the button."""
    members = [row.enrollment for row in by.memberships.current().select_related("enrollment")]
    made = record_submission(
        assignment=assignment,
        enrollment=members[0],
        files=[StoredFile("report.pdf", storage.store(data), len(data))],
        source=Source.UPLOAD,
        client_token=None,
        received_at=at or clock.now(),
        waiting_ahead=None,
        mail=False,
        authors=members,
        shared_as=by.name,
    )
    TeamSubmission.objects.create(submission=made, team=by)
    return made


def talk(by: Team, *, session: Session | None = None, position: int = 1, practice: bool = False) -> Talk:
    """A talk of the team, planned for now."""
    return Talk.objects.create(
        offering=by.offering, team=by, session=session, position=position, practice=practice, starts_at=clock.now()
    )


def opened(planned: Talk, by: Enrollment) -> Talk:
    """The talk with its ratings open."""
    open_ratings(talk=planned, by=by.user)
    planned.refresh_from_db()
    return planned


def closed(planned: Talk, by: Enrollment) -> Talk:
    """The talk after its ratings were closed."""
    close_ratings(talk=planned, by=by.user)
    planned.refresh_from_db()
    return planned


def rated(about: Talk, rater: Enrollment, score: int = 4, comment: str = "", *, revision: int = 0) -> Rating:
    """A classmate's rating, through the front door."""
    return save_rating(talk=about, rater=rater, score=score, comment=comment, revision=revision)


def staff_rated(about: Talk, rater: Enrollment, *marks: int, comment: str = "", revision: int = 0) -> None:
    """A staff member's five marks; without any, four each."""
    given = dict(zip(Criterion.values, marks or (4,) * 5, strict=True))
    save_staff_rating(talk=about, rater=rater, marks=given, comment=comment, revision=revision)


def reviewed(
    submission: Submission, by: Enrollment, *scores: int, purpose: str = Purpose.FIRST, comment: str = ""
) -> Review:
    """Mark each item, in order; without scores, two points each."""
    items = list(submission.assignment.rubric.items.all())
    marks = {item.pk: GivenMark(Decimal(score)) for item, score in zip(items, scores or [2] * len(items), strict=True)}
    return save_review(submission=submission, by=by.user, marks=marks, purpose=purpose, comment=comment)


def graded(assignment: Assignment, enrollment: Enrollment, source: str = RIGHT) -> Submission:
    """Hand in and grade, by the same code that a worker runs. Needs real transactions: the heartbeat is a thread."""
    submission = submit(assignment, enrollment, source)
    job = submission.jobs.get()
    while GradingJob.objects.waiting().filter(pk=job.pk).exists():  # a message runs the job whose turn it is
        run_job(job.pk)
    return submission


def reported(submission: Submission, first: float = 6.0, second: float = 4.0) -> Submission:
    """Give the submission's waiting job a report, without running anything."""
    finished(submission.jobs.get(), first, second)
    return submission


def finished(
    job: GradingJob, first: float = 6.0, second: float = 4.0, out_of: tuple[float, float] = (6.0, 4.0)
) -> None:
    """Give a waiting job a report: a public check of task 1, a hidden one of task 2, which are worth `out_of`."""
    held = claims.claim(job_id=job.pk, worker="test")
    assert held is not None
    one, two = out_of
    checks = (
        CheckResult("adds", "1", "adds two arrays", verdict_of(first, one), first, one, "a + b", hidden=False),
        CheckResult(
            "scales", "2", "scales", verdict_of(second, two), second, two, "SECRET", hidden=True, staff_note="NOTE"
        ),
    )
    tasks = (Task("1", "Adding", one), Task("2", "Scaling", two))
    report = GradeReport(Outcome.GRADED, first + second, one + two, seed=1, checks=checks, tasks=tasks, lab="tiny")
    assert claims.record_report(held, report)


def refused(job: GradingJob) -> None:
    """End a waiting job as one whose work cannot be graded."""
    report = GradeReport(Outcome.REFUSED, 0.0, 10.0, seed=1, message="Your cell 3 is not valid Python.")
    assert claims.record_report(claims.claim(job_id=job.pk, worker="test"), report)


def failed(job: GradingJob) -> None:
    """End a waiting job by our own fault: the second one needs staff."""
    for worker in ("one", "two"):
        assert claims.record_fault(claims.claim(job_id=job.pk, worker=worker), error="no free cgroup")


def republish(assignment: Assignment, folder: Path, *, adds: int = 10) -> Lab:
    """Publish the tiny lab anew with its first check worth `adds` points instead of 4, as `publish_lab` does."""
    shutil.copytree(TINY, folder)
    for name, old, new in (
        ("lab.toml", "points = 6", f"points = {adds + 2}"),
        ("checks/test_add.py", "points(4)", f"points({adds})"),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    lab = publish_lab(folder)
    sync_rubric(assignment=assign_lab(assignment=assignment, lab=lab))
    return lab


def verdict_of(score: float, max_score: float) -> Verdict:
    """Passed with full points."""
    return Verdict.PASSED if score == max_score else Verdict.FAILED


def practice(assignment: Assignment, enrollment: Enrollment, source: str = RIGHT) -> GradingJob:
    """Run the checks; the job waits."""
    return run_checks(assignment=assignment, enrollment=enrollment, files=[script(source)])


def chicago(*parts: int) -> datetime:
    """A moment by the clock on the wall in Chicago in winter (UTC-6)."""
    return datetime(*parts, tzinfo=UTC) + timedelta(hours=6)
