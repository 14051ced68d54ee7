"""`manage.py worker`: a Celery worker with the options that the platform relies on."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from config.celery import app
from config.service import ServiceCommand
from grader.api import SandboxUnavailable, open_walls
from grader.contract import SandboxKind


class Command(ServiceCommand):
    """Takes jobs from both queues; *Run checks* has a queue of its own, so that it does not wait behind a deadline's rush."""

    help = "Run a grading worker."

    def add_arguments(self, parser: CommandParser) -> None:
        """How many jobs at a time, and from which queues."""
        parser.add_argument("--concurrency", type=int, default=2, help="jobs at a time (default 2)")
        parser.add_argument("--queues", default="interactive,grading", help="queues to take from, separated by commas")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        if not app.conf.broker_url:
            raise CommandError("GRADLAB_REDIS_URL is not set, so there is no queue to take jobs from.")
        self._prove_the_walls()
        app.worker_main(
            [
                "worker",
                f"--concurrency={options['concurrency']}",
                f"--queues={options['queues']}",
                "--loglevel=INFO",
                "--without-gossip",
                "--without-mingle",
            ]
        )

    def _prove_the_walls(self) -> None:
        """No job is taken before every wall of the sandbox was tried and held."""
        try:
            found = open_walls(
                SandboxKind(settings.SANDBOX), allow_approximate_limits=settings.ALLOW_APPROXIMATE_LIMITS
            )
        except SandboxUnavailable as reason:
            raise CommandError(
                f"The sandbox {settings.SANDBOX} cannot be built, so no job is taken. {reason}"
            ) from reason
        if found:
            raise CommandError("The sandbox has open walls, so no job is taken. " + " ".join(found))
