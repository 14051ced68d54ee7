"""Celery's side of grading: an id comes in, the runner does the rest. The policy of tasks is in the settings."""

from __future__ import annotations

from celery import shared_task

from grading.runner import run_job


@shared_task(name="grading.grade_job")
def grade_job(job_id: int) -> None:
    """Grade one job, if it is still to be claimed."""
    run_job(job_id)
