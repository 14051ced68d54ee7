"""A job runs the checks once; a report is what it found. A job's status is read from its timestamps."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from assignments.models import Lab
from courses.models import Enrollment
from grader import contract
from grading.fleet import CanaryRun, Drain, Worker
from grading.querysets import GradingJobQuerySet
from submissions.models import PracticeRun, Submission

__all__ = ["CanaryRun", "Drain", "GradeReport", "GradingJob", "Status", "Worker"]
ACTIVE = Q(finished_at=None, failed_at=None, cancelled_at=None)
STARTED = Q(started_at__isnull=False)


class Lane(models.TextChoices):
    """Where a job waits; also the name of the queue that its messages go through."""

    INTERACTIVE = "interactive", "Run checks"
    GRADING = "grading", "Submissions"
    GPU = "gpu", "GPU labs"


def lanes_of(lab: Lab) -> frozenset[str]:
    """The lanes that a lab's jobs may come through."""
    return frozenset({Lane.GPU} if lab.on_gpu else {Lane.INTERACTIVE, Lane.GRADING})


class Status(models.TextChoices):
    """Where a job is in its life; apart from what it found."""

    REQUESTED = "requested", "Waiting"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    NEEDS_STAFF = "needs staff", "Needs staff"
    CANCELLED = "cancelled", "Cancelled"


class GradingJob(models.Model):
    """One run of a lab's checks over one set of files. The row is also the outbox: a lost message is sent again.

    `fence` grows with each claim; only the worker that holds the latest fence may write. In a lane, a student has one place in
    line and one running job: `in_line_at` is when this job came to the back of the line. `lab` is the version of the moment in
    which the job was asked for: a version that is published while it waits changes nothing for it.
    """

    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="jobs")
    practice_run = models.ForeignKey(PracticeRun, null=True, on_delete=models.CASCADE, related_name="jobs")
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, related_name="jobs")
    student = models.ForeignKey(
        Enrollment, on_delete=models.CASCADE, related_name="jobs", help_text="Whose work it is."
    )
    lane = models.CharField(max_length=12, choices=Lane.choices)
    rerun = models.BooleanField(default=False, help_text="Asked for by staff for graded work; last in its lane.")
    counts = models.BooleanField(
        default=True, help_text="No: a dry run, whose report is nobody's score until its regrade is applied."
    )
    suite = models.CharField(max_length=10, choices=[(suite.value, suite.value) for suite in contract.Suite])
    seed = models.BigIntegerField(help_text="Draws the checks' inputs; kept so that a result can be repeated.")
    requested_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, help_text="When the latest message was handed to the broker.")
    in_line_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True, help_text="By our fault; from then on it waits for staff.")
    cancelled_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    dispatch_count = models.PositiveIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="Claims so far.")
    faults = models.PositiveSmallIntegerField(default=0, help_text="Runs that ended by our fault.")
    faulted_on = models.CharField(max_length=120, blank=True, help_text="The worker of the latest fault.")
    faulted_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey(
        Submission,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What its student set it aside for.",
    )
    error = models.TextField(blank=True, help_text="For staff.")
    canary = models.ForeignKey(
        CanaryRun,
        null=True,
        on_delete=models.PROTECT,
        related_name="redriven",
        help_text="The bad canary for which a graded submission is graded again; pages show the job once it is finished.",
    )

    objects = GradingJobQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(submission=None, practice_run__isnull=False)
                | Q(submission__isnull=False, practice_run=None),
                name="job_has_one_owner",
            ),
            models.UniqueConstraint(
                fields=("submission",), condition=ACTIVE & Q(counts=True), name="one_active_job_a_submission"
            ),
            models.UniqueConstraint(fields=("practice_run",), condition=ACTIVE, name="one_active_job_a_run"),
            models.UniqueConstraint(
                fields=("student", "lane"), condition=ACTIVE & STARTED, name="one_running_job_a_student"
            ),
        )
        indexes = (
            models.Index(fields=("requested_at",), condition=ACTIVE, name="active_jobs"),
            models.Index(fields=("lane", "rerun", "in_line_at"), condition=ACTIVE, name="jobs_in_line"),
            models.Index(fields=("lane", "-finished_at"), condition=Q(finished_at__isnull=False), name="recent_runs"),
        )

    def __str__(self) -> str:
        return f"Job {self.pk} ({self.status})"

    @property
    def status(self) -> Status:
        """Derived from the timestamps, the latest act first."""
        for moment, status in (
            (self.cancelled_at, Status.CANCELLED),
            (self.failed_at, Status.NEEDS_STAFF),
            (self.finished_at, Status.FINISHED),
            (self.started_at, Status.RUNNING),
            (self.queued_at, Status.QUEUED),
        ):
            if moment is not None:
                return status
        return Status.REQUESTED

    @property
    def is_active(self) -> bool:
        """Whether it still waits or runs."""
        return self.status in {Status.REQUESTED, Status.QUEUED, Status.RUNNING}

    @property
    def is_set_aside(self) -> bool:
        """Whether its student chose a later submission to be graded in its place."""
        return self.superseded_by_id is not None and self.status == Status.CANCELLED

    @property
    def costs_attempt(self) -> bool:
        """Whether the student has had a run for it; a fault of ours and a run that never began are none."""
        return self.status != Status.NEEDS_STAFF and (self.status != Status.CANCELLED or self.started_at is not None)

    @property
    def owner(self) -> Submission | PracticeRun:
        """The work that it grades."""
        owner = self.submission or self.practice_run
        assert owner is not None  # the database holds it: job_has_one_owner
        return owner


class GradeReport(models.Model):
    """What a job found, whole. One a job, written once by the holder of its fence."""

    job = models.OneToOneField(GradingJob, on_delete=models.CASCADE, related_name="stored_report")
    outcome = models.CharField(max_length=20, choices=[(outcome.value, outcome.value) for outcome in contract.Outcome])
    score = models.DecimalField(max_digits=7, decimal_places=2)
    max_score = models.DecimalField(max_digits=7, decimal_places=2)
    data = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.score} of {self.max_score}"

    @property
    def report(self) -> contract.GradeReport:
        """The report as the grader wrote it, staff notes and all."""
        return contract.GradeReport.from_json(self.data)
