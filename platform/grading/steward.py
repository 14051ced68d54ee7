"""What goes on beside a worker: its heartbeat, its canaries, and its queues as its drains say.

A process of its own. In a thread of Celery's main process it would be forked into each pool process at whatever point it
stood, locks and connections held.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta

import structlog
from celery.exceptions import CeleryError
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from assignments.models import Lab
from config import clock
from config.celery import app
from config.redis import Unavailable
from grading import canary, workers
from grading.fleet import Drain, Worker

LOOK_S = 0.5
BROKER_AWAY = (CeleryError, KombuError, Unavailable, OSError)
log = structlog.get_logger(__name__)


class Steward:
    """Tends one worker until its process has ended."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._asked: dict[int, float] = {}
        self._consuming: bool | None = None

    def tend_while(self, parent: int) -> None:
        """Tend the worker as long as `parent`, its main process, is ours; then close its row."""
        tended_at = float("-inf")
        while os.getppid() == parent:
            if time.monotonic() - tended_at >= settings.WORKER_HEARTBEAT_S:
                tended_at = time.monotonic()
                self._tend_once()
            time.sleep(LOOK_S)
        self.end()

    def tend(self) -> None:
        """One turn; raises what the database or the broker raises."""
        workers.beat(self._worker)
        canary.give_up_lost(self._worker)
        self._match_queues()
        for lab in canary.labs_due(self._worker):
            self._ask_for(lab)

    def _tend_once(self) -> None:
        close_old_connections()
        try:
            self.tend()
        except DatabaseError as error:
            log.warning("steward_without_database", error=str(error))
        except BROKER_AWAY as error:
            log.warning("steward_without_broker", error=str(error))

    def _match_queues(self) -> None:
        """A drained worker takes no messages, so that others get them; the claim would refuse them anyway."""
        wanted = not Drain.objects.holding(self._worker.name).exists()
        if wanted == self._consuming:
            return
        tell = app.control.add_consumer if wanted else app.control.cancel_consumer
        answers = [
            tell(queue, destination=[self._worker.node], reply=True, timeout=1.0)
            for queue in sorted(self._worker.lanes)
        ]
        if all(answers):
            self._consuming = wanted

    def _ask_for(self, lab: Lab) -> None:
        """Send the worker its canary, unless an earlier one still waits for a free process."""
        from grading.tasks import run_canary  # noqa: PLC0415 - tasks load all that a worker needs

        patience = timedelta(minutes=settings.CANARY_MINUTES)
        asked_at = self._asked.get(lab.pk)
        if asked_at is not None and self._still_waits(lab, asked_at, patience):
            return
        run_canary.apply_async((lab.pk,), queue=self._worker.canary_queue, expires=patience.total_seconds())
        self._asked[lab.pk] = clock.now().timestamp()

    def _still_waits(self, lab: Lab, asked_at: float, patience: timedelta) -> bool:
        newest = self._worker.canaries.filter(lab=lab).first()
        begun = newest is not None and newest.started_at.timestamp() >= asked_at
        return not begun and clock.now().timestamp() - asked_at < patience.total_seconds()

    def end(self) -> None:
        """Close the worker's row and remove its queue. The worker does so too: in a container its end is everyone's."""
        try:
            workers.retire(self._worker)
            with app.connection_for_write() as connection:
                queue = _queue(self._worker.canary_queue)(connection.default_channel)
                queue.declare()  # this connection must know the queue's bindings to remove them
                queue.delete()
        except (DatabaseError, *BROKER_AWAY) as error:
            log.warning("steward_ended_early", error=str(error))


def _queue(name: str) -> Queue:
    """As Celery makes a queue that only its name is known of."""
    return Queue(name, Exchange(name), routing_key=name)
