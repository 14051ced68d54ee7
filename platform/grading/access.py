"""Who may watch or stop a job: whoever may see the work that it grades. Who may look after the grader: staff."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from accounts.models import User
from config import clock
from courses.access import get_staff_enrollment
from courses.models import Enrollment
from grading.models import GradingJob, Worker
from submissions.access import viewer_of


@dataclass(frozen=True)
class JobAccess:
    """A job, and the enrollment by which the viewer sees it."""

    job: GradingJob
    viewer: Enrollment

    @property
    def may_stop(self) -> bool:
        """A run that staff asked for is theirs to stop: its student might like the score better that it may replace."""
        return self.viewer.is_staff or not self.job.rerun


def get_job_for(user: User, pk: int) -> JobAccess:
    """The job for the student whose work it grades and for staff of the offering; raises `Http404` for everyone else.

    A dry run is there for staff alone: until it is applied, nothing of it is the student's.
    """
    jobs = GradingJob.objects.select_related("submission__enrollment", "practice_run__enrollment", "stored_report")
    job = jobs.filter(pk=pk).first()
    if job is None:
        raise Http404("There is no such job.")
    viewer = viewer_of(user, job.owner.enrollment)
    if not job.counts and not viewer.is_staff:
        raise Http404("There is no such job.")
    if job.canary_id is not None and not viewer.is_staff:
        raise Http404("This run is the grader's own affair.")
    return JobAccess(job, viewer)


def get_grader_staff(user: User, slug: str) -> Enrollment:
    """Staff of an offering that still goes on; raises `Http404` for everyone else."""
    enrollment = get_staff_enrollment(user, slug)
    if not enrollment.offering.is_current(clock.now()):
        raise Http404("This offering is over.")
    return enrollment


def get_worker_for(user: User, slug: str, pk: int) -> tuple[Enrollment, Worker]:
    """A worker, for the same people: workers belong to the installation and grade for every offering."""
    enrollment = get_grader_staff(user, slug)
    worker = Worker.objects.filter(pk=pk).first()
    if worker is None:
        raise Http404("There is no such worker.")
    return enrollment, worker
