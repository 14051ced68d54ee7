"""The faults. Each is a context: on entry it strikes, on exit what a supervisor or an operator would do has been done."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import psutil

from .site import RESTART_S, Site

Fault = Callable[[Site], AbstractContextManager[None]]
HOUR_S = 3600
EVERY_CLOCK = ("sweeper", "web", "worker")


def killed(part: str, *, without_its_data: bool = False) -> Fault:
    """kill -9 of Redis, web or worker, which is started again a second later."""

    @contextmanager
    def fault(site: Site) -> Iterator[None]:
        site.kill(part)
        if without_its_data:
            shutil.rmtree(site.data / part)
        yield
        site.hold(False)
        site.restart(part)

    return fault


@contextmanager
def pool_children_killed(site: Site) -> Iterator[None]:
    """kill -9 of the worker's pool processes; the worker itself starts others."""
    _kill(site.pool(), "a pool process")
    yield


@contextmanager
def sandboxes_killed(site: Site) -> Iterator[None]:
    """kill -9 of every bubblewrap below the worker, and so of the warm servers in them and of their runs."""
    _kill(site.sandboxes(), "a sandbox")
    yield


@contextmanager
def containers_killed(site: Site) -> Iterator[None]:
    """kill -9 of every container, those that wait and those that run."""
    found = site.orphans.containers()
    assert found, "no container was there to be killed"
    subprocess.run(["docker", "kill", "--signal", "KILL", *found], check=False, capture_output=True)
    yield


@contextmanager
def postgres_killed(site: Site) -> Iterator[None]:
    """kill -9 of the database server and all its processes; it is started again a second later on what it had written."""
    assert site.postgres
    site.postgres.kill()
    yield
    time.sleep(RESTART_S)
    site.postgres.start()


@contextmanager
def flushed(site: Site) -> Iterator[None]:
    """FLUSHALL."""
    with site.redis() as client:
        client.flushall()
    yield


@contextmanager
def duplicated(site: Site) -> Iterator[None]:
    """The latest job's message comes four times more."""
    site.run("tests.chaos.duplicate", "4")
    yield


def full(folder: str) -> Fault:
    """Neither a byte nor a name more fits into `files` or `tmp`, for three seconds."""

    @contextmanager
    def fault(site: Site) -> Iterator[None]:
        made = list(_fill(site.data / folder))
        yield
        time.sleep(3)
        for path in made:
            path.unlink(missing_ok=True)

    return fault


def database_away(seconds: float) -> Fault:
    """PostgreSQL is shut down, or another process holds SQLite's lock, for so long."""

    @contextmanager
    def fault(site: Site) -> Iterator[None]:
        started = time.monotonic()
        with _stopped(site) if site.postgres else _locked(site.data / "db.sqlite3"):
            yield
            time.sleep(max(0.0, seconds - (time.monotonic() - started)))

    return fault


def clock_moved(seconds: int, *parts: str) -> Fault:
    """These parts are started again with another clock. With every clock the queue is emptied too, so that nothing but clocks can tell."""

    @contextmanager
    def fault(site: Site) -> Iterator[None]:
        for part in parts:
            site.kill(part)
        site.hold(False)
        if parts == EVERY_CLOCK:
            with site.redis() as client:
                client.flushall()
        site.move_clock(seconds, *parts)
        yield

    return fault


def _kill(processes: list[psutil.Process], what: str) -> None:
    assert processes, f"there was not {what} to be killed"
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def _fill(folder: Path) -> Iterator[Path]:
    """Files until there is room for no byte, then for no name."""
    filler = folder / "filler"
    yield filler
    with filler.open("wb", buffering=0) as file, _until_full():
        while True:
            file.write(bytes(1 << 16))
    with _until_full():
        for number in range(1 << 20):
            path = folder / f"filler-{number}"
            path.touch()
            yield path


@contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def _stopped(site: Site) -> Iterator[None]:
    assert site.postgres
    site.postgres.stop()
    yield
    site.postgres.start()


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def is_root() -> bool:
    """Whether folders can be made small."""
    return os.geteuid() == 0
