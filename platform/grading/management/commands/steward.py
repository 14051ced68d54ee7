"""`manage.py steward`: started by `manage.py worker` beside itself."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from grading.fleet import Worker
from grading.steward import Steward


class Command(BaseCommand):
    """Looks after one worker and ends when the worker has."""

    help = "Keep a worker's heartbeat, canaries and queues. `manage.py worker` starts it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose steward it is."""
        parser.add_argument("worker", type=int, help="the worker's row")
        parser.add_argument("parent", type=int, help="the worker's main process")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tend the worker. A signal that asks the worker to end is the worker's affair: it may have jobs to finish."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)
        Steward(Worker.objects.get(pk=options["worker"])).tend_while(options["parent"])
