"""A worker's own row: written before it tries its walls, kept fresh by its steward, closed when it ends."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

import psutil
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from config import clock
from grader.api import grader_version
from grading.fleet import Worker

_own: list[str] = []


def become(worker: Worker) -> None:
    """From now on this process, and those that it forks, are that worker."""
    _own[:] = [worker.name]


def own_name() -> str:
    """What the jobs that this process claims say: its worker's name; outside of a worker, host and process."""
    return _own[0] if _own else f"{socket.gethostname()}:{os.getpid()}"


def own_worker() -> Worker | None:
    """The row of the worker that this process belongs to."""
    return Worker.objects.filter(name=_own[0]).first() if _own else None


@transaction.atomic
def register(*, concurrency: int, queues: str, sandbox: str) -> Worker:
    """The row of a worker that is about to try its walls."""
    now, host, pid = clock.now(), socket.gethostname(), os.getpid()
    _close_rows_of_the_dead(host, pid)
    _forget_old_ones()
    node = f"celery@{host}"
    if Worker.objects.filter(node=node, stopped_at=None).exists():
        node = f"celery-{pid}@{host}"  # two workers of one host must not answer to one name
    return Worker.objects.create(
        name=f"{host}:{pid}:{secrets.token_hex(3)}",
        node=node,
        host=host,
        pid=pid,
        concurrency=concurrency,
        queues=queues,
        sandbox=sandbox,
        grader_version=grader_version(),
        started_at=now,
        seen_at=now,
    )


def record_selftest(worker: Worker, *, sandbox: str, open_walls: str) -> None:
    """Note what trying the walls found. With open walls the worker ends: it takes no job."""
    now = clock.now()
    Worker.objects.filter(pk=worker.pk).update(
        sandbox=sandbox, tested_at=now, seen_at=now, open_walls=open_walls, stopped_at=now if open_walls else None
    )
    worker.refresh_from_db()


def beat(worker: Worker) -> bool:
    """Say that the worker lives; False when its row is closed or gone."""
    return bool(Worker.objects.filter(pk=worker.pk, stopped_at=None).update(seen_at=clock.now()))


def retire(worker: Worker) -> None:
    """Note that the worker has ended."""
    Worker.objects.filter(pk=worker.pk, stopped_at=None).update(stopped_at=clock.now())


def _close_rows_of_the_dead(host: str, pid: int) -> None:
    """Close what killed workers of this host left open. One that refused its jobs, and now tries again, needs one row only."""
    for row in Worker.objects.filter(host=host, stopped_at=None):
        if row.pid == pid or not psutil.pid_exists(row.pid):
            retire(row)
    Worker.objects.filter(host=host).exclude(open_walls="").delete()


def _forget_old_ones() -> None:
    """Forget workers that ended a week ago, but for those whose bad canaries jobs still name."""
    long_ago = clock.now() - timedelta(seconds=settings.WORKERS_KEPT_S)
    old = Worker.objects.filter(Q(stopped_at__lt=long_ago) | Q(seen_at__lt=long_ago))
    old.exclude(canaries__redriven__isnull=False).delete()
