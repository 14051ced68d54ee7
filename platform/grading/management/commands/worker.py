"""`manage.py worker`: a Celery worker with the options that the platform relies on."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connections

from config.celery import app
from config.service import ServiceCommand
from grader.api import SandboxUnavailable, open_walls, sandbox_name
from grader.contract import SandboxKind
from grading import workers
from grading.fleet import Worker
from grading.models import Lane
from grading.steward import Steward


class Command(ServiceCommand):
    """Takes jobs of the lanes that it is told; *Run checks* has one of its own, so that it does not wait behind a deadline's rush."""

    help = "Run a grading worker."

    def add_arguments(self, parser: CommandParser) -> None:
        """How many jobs at a time, from which lanes."""
        parser.add_argument("--concurrency", type=int, default=2, help="jobs at a time (default 2)")
        parser.add_argument(
            "--queues", default="interactive,grading", help="lanes: interactive, grading, gpu; separated by commas"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        if not app.conf.broker_url:
            raise CommandError("GRADLAB_REDIS_URL is not set, so there is no queue to take jobs from.")
        unknown = set(options["queues"].split(",")) - set(Lane)
        if unknown:
            raise CommandError(f"There is no lane {', '.join(sorted(unknown))}; there are {', '.join(Lane)}.")
        try:
            worker = workers.register(
                concurrency=options["concurrency"], queues=options["queues"], sandbox=settings.SANDBOX
            )
        except DatabaseError as error:
            raise CommandError(
                f"The database knows no workers, so no job is taken: {error}. Run `manage.py migrate` first."
            ) from error
        self._prove_the_walls(worker)
        workers.become(worker)
        self._start_steward(worker)
        connections.close_all()  # pool processes are forked from this one
        try:
            status: int | None = app.worker_main(
                [
                    "worker",
                    f"--hostname={worker.node}",
                    f"--concurrency={worker.concurrency}",
                    f"--queues={worker.queues},{worker.canary_queue}",
                    "--loglevel=INFO",
                    "--without-gossip",
                    "--without-mingle",
                ]
            )
        finally:
            Steward(worker).end()
        if status:
            sys.exit(status)

    def _start_steward(self, worker: Worker) -> None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "steward", str(worker.pk), str(os.getpid())]
        subprocess.Popen(command)  # noqa: S603 - our own command; it ends by itself after this process

    def _prove_the_walls(self, worker: Worker) -> None:
        """No job is taken before every wall of the sandbox was tried and held; the worker's row says how it went."""
        kind, approximate = SandboxKind(settings.SANDBOX), settings.ALLOW_APPROXIMATE_LIMITS
        try:
            sandbox = sandbox_name(kind, allow_approximate_limits=approximate)
            found = open_walls(kind, allow_approximate_limits=approximate)
        except SandboxUnavailable as reason:
            workers.record_selftest(worker, sandbox=kind, open_walls=f"The sandbox cannot be built. {reason}")
            raise CommandError(
                f"The sandbox {settings.SANDBOX} cannot be built, so no job is taken. {reason}"
            ) from reason
        workers.record_selftest(worker, sandbox=sandbox, open_walls="\n".join(found))
        if found:
            raise CommandError("The sandbox has open walls, so no job is taken. " + " ".join(found))
