"""The worker as it is, but that it waits after a job while a file exists: so something can die between the result and its ack."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from celery.signals import task_postrun
from django.core.management import execute_from_command_line

HOLD = "CHAOS_HOLD"


@task_postrun.connect(weak=False)
def hold(sender: Any = None, **_: Any) -> None:
    """The report is stored; the message is acknowledged once this process has said that it is done."""
    while sender.name == "grading.grade_job" and Path(os.environ[HOLD]).exists():
        time.sleep(0.02)


if __name__ == "__main__":
    execute_from_command_line(["manage.py", "worker", *sys.argv[1:]])
