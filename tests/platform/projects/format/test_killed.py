"""A worker that is killed in the middle of a check, for real: the sweeper and another worker finish it, and nothing is left."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from multiprocessing import get_context

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings as django_settings
from django.db import connections

from config import clock
from config.celery import app
from grading.models import Lane
from projects.format import runner
from projects.format.models import FormatCheck, PagePicture, State
from projects.format.runner import run_check
from projects.format.sweep import drive_checks
from tests.platform.conftest import forget_connections

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:.*use of fork.*")]


def doomed(check_id: int, moment: str, reached) -> None:
    """A worker that says when it is at the moment, and stays there."""
    connections.close_all()
    whole = getattr(runner, moment)

    def wait(*args):
        if moment == "_store":
            pictures = args[2]
            runner.storage.store(pictures[0].png)  # one is durable, the others are not
        else:
            whole(*args)
        reached.set()
        threading.Event().wait(60)

    setattr(runner, moment, wait)
    run_check(check_id)


@pytest.mark.parametrize("moment", ["format_spec", "check_format", "_store"])
def test_a_killed_worker_is_replaced(hand_in, live_redis, at, moment):
    check = hand_in()
    connections.close_all()
    context = get_context("fork")
    reached = context.Event()
    worker = context.Process(target=doomed, args=(check.pk, moment, reached))
    worker.start()
    assert reached.wait(30)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert worker.exitcode == -signal.SIGKILL

    live_redis.flushall()  # and its message with it
    forget_connections()
    check.refresh_from_db()
    assert check.state is State.RUNNING
    at(clock.now() + timedelta(seconds=django_settings.FORMAT_LEASE_S + 1))
    assert drive_checks() == 1
    app.select_queues([Lane.INTERACTIVE])
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
            wait_for(lambda: FormatCheck.objects.get(pk=check.pk).is_over)
    finally:
        app.amqp.queues._consume_from = None
    check.refresh_from_db()
    assert (check.state, check.fence, check.faults) == (State.FINISHED, 2, 0)
    assert PagePicture.objects.filter(check_of=check).count() == 10


def wait_for(condition, seconds: float = 30.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen in time")
