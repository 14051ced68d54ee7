"""Celery's side of grading: an id comes in, the runner does the rest. The policy of tasks is in the settings."""

from __future__ import annotations

from celery import shared_task

from assignments.models import Lab
from grading import canary
from grading.runner import run_job
from grading.workers import own_worker


@shared_task(name="grading.grade_job")
def grade_job(job_id: int) -> None:
    """Grade one job of this one's lane."""
    run_job(job_id)


@shared_task(name="grading.run_canary")
def run_canary(lab_id: int) -> None:
    """Prove the worker that runs this by the lab's reference solution."""
    worker, lab = own_worker(), Lab.objects.filter(pk=lab_id).first()
    if worker is not None and lab is not None:
        canary.run_canary(worker=worker, lab=lab)
