"""What the progress of a job needs to become a page, with or without a request."""

from __future__ import annotations

from typing import TypedDict

from django.template.loader import render_to_string
from django.urls import reverse

from grading.models import GradingJob
from grading.progress import ProgressSnapshot


class ProgressContext(TypedDict):
    """The variables of `grading/progress.html`. `result_url` is the page on which the job's work is shown."""

    snapshot: ProgressSnapshot
    result_url: str


def progress_context(snapshot: ProgressSnapshot, result_url: str) -> ProgressContext:
    """The variables of the partial."""
    return {"snapshot": snapshot, "result_url": result_url}


def render_progress(snapshot: ProgressSnapshot, result_url: str) -> str:
    """The partial as HTML."""
    return render_to_string("grading/progress.html", {**progress_context(snapshot, result_url)})


def job_page_url(job: GradingJob) -> str:
    """The page on which a job is watched: its submission's, or the lab's for a practice run."""
    if job.submission_id is not None:
        return reverse("submission", args=[job.submission_id])
    assignment = job.owner.assignment
    return reverse("lab", args=[assignment.offering.slug, assignment.slug])
