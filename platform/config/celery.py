"""The Celery application. It carries job ids and nothing else; see settings for why each option stands as it does."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("gradlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["grading"])


@worker_process_shutdown.connect(weak=False)
def close_sandboxes(**_: Any) -> None:
    """A pool process ends without Python's own farewell, so what waits warm in it is ended here."""
    from grader.api import close_sandboxes as close  # noqa: PLC0415 - the web loads this module and needs no grader

    close()
