"""Celery's side of format checks: an id comes in, the runner does the rest."""

from __future__ import annotations

from celery import shared_task

from projects.format.runner import run_check


@shared_task(name="projects.check_format")
def check_format(check_id: int) -> None:
    """Look at the PDF of one check."""
    run_check(check_id)
