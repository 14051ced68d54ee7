"""A student stops a run: what their code started is gone within seconds, whatever it does."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest
from django.db import connection
from django.urls import reverse

from grader.api import close_sandboxes
from grader.contract import SandboxKind
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from grading.models import GradeReport, GradingJob
from grading.runner import run_job
from tests.factories import RIGHT, graded, submit
from tests.support import leftover_groups, require

MARKER = "gradlab-stubborn-run"
STUBBORN = f"""
import os, signal, sys, time

def add(a, b):
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(300)", "{MARKER}"])
    time.sleep(300)

scale = add
"""


@pytest.fixture
def _walls(settings):
    try:
        open_sandbox(SandboxKind.BUBBLEWRAP, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))
    settings.SANDBOX, settings.ALLOW_APPROXIMATE_LIMITS = "bubblewrap", True
    yield
    close_sandboxes()


@pytest.mark.sandbox
@pytest.mark.usefixtures("_walls")
@pytest.mark.django_db(transaction=True)
def test_stopping_takes_the_sandbox_down(world, browser, settings):
    settings.GRADING_HEARTBEAT_S = 0.5
    job = submit(world.lab, world.student, STUBBORN).jobs.get()
    worker = threading.Thread(target=lambda: (run_job(job.pk), connection.close()))
    worker.start()
    try:
        _wait_for(lambda: processes() > 0, seconds=20)
        stopped_at = time.monotonic()
        response = browser(world.student).post(reverse("job-cancel", args=[job.pk]))
        assert response.url == reverse("submission", args=[job.submission_id])
        _wait_for(lambda: processes() == 0, seconds=5)
        worker.join(timeout=10)
        assert not worker.is_alive()
        assert time.monotonic() - stopped_at < 8, "long before the limit of the lab"
    finally:
        GradingJob.objects.active().filter(pk=job.pk).update(failed_at="2026-01-01T00:00:00Z")
        worker.join(timeout=30)
    assert leftover_groups() == []
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not GradeReport.objects.exists()
    assert graded(world.lab, world.student, RIGHT).jobs.get().stored_report.score == 10, "the worker goes on"


def processes() -> int:
    listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return sum(MARKER in line for line in listing.splitlines())


def _wait_for(condition, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
