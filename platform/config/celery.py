"""The Celery application. It carries job ids and nothing else; see settings for why each option stands as it does."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings
from kombu.transport.redis import Channel

from config.broker import Unacknowledged

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("gradlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["grading", "projects.format"])
Channel.QoS = Unacknowledged


@worker_process_init.connect(weak=False)
def remove_leftovers(**_: Any) -> None:
    """A pool process may take the place of one that was killed. In the background, since Celery gives it 4 s to begin."""
    Thread(target=_remove_leftovers, name="leftovers", daemon=True).start()


@worker_process_shutdown.connect(weak=False)
def close_sandboxes(**_: Any) -> None:
    """A pool process ends without Python's own farewell, so what waits warm in it is ended here."""
    from grader.api import close_sandboxes as close  # noqa: PLC0415 - the web loads this module and needs no grader

    close()


def _remove_leftovers() -> None:
    from grader.api import SandboxUnavailable  # noqa: PLC0415 - the web loads this module and needs no grader
    from grader.api import remove_leftovers as remove  # noqa: PLC0415
    from grader.contract import SandboxKind  # noqa: PLC0415

    with suppress(SandboxUnavailable):  # the next job meets the reason, where it can be told
        remove(SandboxKind(settings.SANDBOX), allow_approximate_limits=settings.ALLOW_APPROXIMATE_LIMITS)
