"""`manage.py sweeper`: the loop that makes lost messages and lost workers harmless."""

from __future__ import annotations

import math
import signal
import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandParser
from django.db import DatabaseError, close_old_connections
from django.utils.module_loading import import_string

from config.service import ServiceCommand
from grading.sweep import sweep
from submissions.mail import mail_due_receipts
from submissions.services import forget_unused_files

log = structlog.get_logger(__name__)


class Command(ServiceCommand):
    """Sweeps every 15 s until it is told to stop, mails receipts, does what other apps ask for, and once an hour deletes files that
    nothing names. Several may run.
    """

    help = "Send lost grading messages again, and give up jobs that no worker survives."

    def add_arguments(self, parser: CommandParser) -> None:
        """One pass, or for ever."""
        parser.add_argument("--once", action="store_true", help="sweep once and print what was done")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep."""
        if options["once"]:
            done = sweep()
            self.stdout.write(f"{done.redriven} sent again, {done.failed} given up.")
            return
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        pruned_at = -math.inf
        while not stop.is_set():
            close_old_connections()
            try:
                sweep()
                mail_due_receipts()
                _do_also()
                if time.monotonic() - pruned_at > settings.PRUNE_EVERY_S:
                    pruned_at = time.monotonic()
                    log.info("pruned", files=forget_unused_files())
            except (DatabaseError, OSError) as error:
                log.warning("sweep_failed", error=str(error))
            stop.wait(settings.SWEEP_EVERY_S)


def _do_also() -> None:
    """What other apps ask for. One that breaks is told in the log, and keeps neither the others nor lost jobs waiting."""
    for also in settings.SWEEP_ALSO:
        try:
            import_string(also)()
        except (DatabaseError, OSError):
            raise
        except Exception:
            log.exception("sweep_part_failed", part=also)
