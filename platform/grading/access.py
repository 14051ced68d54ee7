"""Who may watch or stop a job: whoever may see the work that it grades."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from accounts.models import User
from courses.models import Enrollment
from grading.models import GradingJob
from submissions.access import viewer_of


@dataclass(frozen=True)
class JobAccess:
    """A job, and the enrollment by which the viewer sees it."""

    job: GradingJob
    viewer: Enrollment


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
    return JobAccess(job, viewer)
