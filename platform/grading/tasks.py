"""Celery's side of grading: an id comes in, the runner does the rest. The policy of tasks is in the settings."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from grading.runner import run_job


@shared_task(name="grading.grade_job", bind=True)
def grade_job(self: Any, job_id: int) -> None:
    """Grade one job of this one's lane. The worker's node name is its name: all its processes share their faults."""
    run_job(job_id, worker=self.request.hostname)
