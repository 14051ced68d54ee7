"""The whole product for the chaos suite: real processes, short leases, and a hand on each of them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from deploy.demo import limits_are_exact
from deploy.stack import Stack, free_port
from grader.contract import SandboxKind
from grader.sandbox.choose import open_sandbox
from tests.postgres import Postgres

from .oracle import Away, Oracle
from .orphans import Orphans, adopt_orphans
from .seed import ASSIGNMENT, OFFERING, address
from .student import Student
from .worker import HOLD

LAB = Path(__file__).parent / "lab"
LEASE_S = 4
RESTART_S = 1.0  # what systemd or compose wait before they start again what died
SHORT = {
    "GRADLAB_DEMO": "1",
    "GRADLAB_HASHED_STATIC": "0",
    "GRADLAB_GRADING_LEASE_S": str(LEASE_S),
    "GRADLAB_GRADING_HEARTBEAT_S": "1",
    "GRADLAB_GRADING_REDISPATCH_S": "3",
    "GRADLAB_GRADING_RETRY_S": "3",
    "GRADLAB_SWEEP_EVERY_S": "1",
}
ROOM = ("size=24m", "nr_inodes=2000")  # of the storage and of the temporary folder, where we may mount them


@dataclass
class Site(Stack):
    """A stack whose parts can be killed, stopped for a while and started again."""

    postgres: Postgres | None = None
    oracle: Oracle = field(init=False)
    orphans: Orphans = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _moved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files, self.temporary = self.data / "files", self.data / "tmp"
        self.environment |= {HOLD: str(self.data / "hold"), "TMPDIR": str(self.temporary)}
        self.oracle = Oracle(self.postgres.url if self.postgres else self.data / "db.sqlite3")

    def command(self, name: str) -> list[str]:
        """The worker is started by a module of ours that can hold back its acks."""
        return [sys.executable, "-m", "tests.chaos.worker"] if name == "worker" else super().command(name)

    def begin(self) -> None:
        """Database, people, lab, and every part."""
        self.start_redis()
        self.manage("migrate", "--verbosity", "0")
        self.run("tests.chaos.seed")
        self.manage("publish_lab", str(LAB), OFFERING, ASSIGNMENT)
        self.start_site()

    def run(self, module: str, *arguments: str) -> None:
        """A module in a process of its own, with the site's settings."""
        subprocess.run(
            [sys.executable, "-m", module, *arguments], env=self.environment, check=True, capture_output=True
        )

    def student(self) -> Student:
        """Somebody who has not handed in anything yet."""
        return Student(self.url, address(next(self._numbers)))

    def parts(self) -> set[int]:
        """Processes that are looked after."""
        server = {self.postgres.process.pid} if self.postgres and self.postgres.process else set()
        return {process.pid for process in self.processes.values()} | server

    def redis(self) -> redis.Redis:
        """The queue, past the product."""
        return redis.Redis.from_url(self.environment["GRADLAB_REDIS_URL"])

    def sandboxes(self) -> list[psutil.Process]:
        """Every bubblewrap below the worker."""
        below = psutil.Process(self.processes["worker"].pid).children(recursive=True)
        return [process for process in below if _name(process) == "bwrap"]

    def pool(self) -> list[psutil.Process]:
        """The worker's pool: its children that run the same program."""
        main = psutil.Process(self.processes["worker"].pid)
        return [child for child in main.children() if _line(child) == _line(main)]

    def pause(self, name: str) -> None:
        """The part stands still: it reads no message and answers nobody."""
        os.kill(self.processes[name].pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """It goes on, if it is there."""
        if name in self.processes:
            self.processes[name].send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        """kill -9, of this process alone."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def restart(self, name: str, **settings: str) -> None:
        """What a supervisor does for a part that died."""
        time.sleep(RESTART_S)
        self.start_part(name, **settings)
        if name in {"web", "redis"}:
            self.wait_for(name)

    def move_clock(self, seconds: int, *parts: str) -> None:
        """Start the parts again with a clock that is off by so much."""
        for part in parts:
            if part in self.processes:
                self.kill(part)
            self._moved.add(part)
            self.restart(part, GRADLAB_CLOCK_OFFSET_S=str(seconds))

    def right_the_clocks(self) -> None:
        """Of all parts whose clock was moved."""
        self.move_clock(0, *self._moved)
        self._moved.clear()

    def revive(self) -> list[str]:
        """Start what has ended without being told to; returns the names."""
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in ended:
            self.restart(name)
        return ended

    def hold(self, yes: bool) -> None:
        """Let workers wait between a report and its ack, or go on."""
        path = Path(self.environment[HOLD])
        path.touch() if yes else path.unlink(missing_ok=True)

    def until(self, what: Callable[[], object], patience_s: float) -> bool:
        """Whether it came true in time; a database that is away says nothing."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            self.orphans.note()
            with suppress(*Away):
                if what():
                    return True
            time.sleep(0.03)
        return False

    def stop(self) -> None:
        """End every part, also one that stands still."""
        self.hold(False)
        for name in self.processes:
            self.resume(name)
        super().stop()


@contextmanager
def open_site(database: str, sandbox: str) -> Iterator[Site]:
    """A site with this database and this sandbox, up and running; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="gradlab-chaos-") as folder, _database(database) as postgres:
        data = Path(folder)
        settings = SHORT | {
            "GRADLAB_SANDBOX": sandbox,
            "GRADLAB_ALLOW_APPROXIMATE_LIMITS": "0" if limits_are_exact() else "1",
            "GRADLAB_DATABASE_URL": postgres.url if postgres else "",
        }
        with (
            _adopting(),
            _rooms(data / "files", data / "tmp"),
            Site(data, free_port(), settings=settings, postgres=postgres) as site,
        ):
            site.orphans = Orphans(site.parts, engine=sandbox == "docker")
            site.begin()
            yield site


@contextmanager
def _adopting() -> Iterator[None]:
    adopt_orphans(True)
    try:
        yield
    finally:
        adopt_orphans(False)


def sandbox_is_here(kind: str) -> None:
    """Raise `SandboxUnavailable` with the reason where it is not."""
    open_sandbox(SandboxKind(kind), allow_approximate_limits=True)


@contextmanager
def _database(kind: str) -> Iterator[Postgres | None]:
    if kind == "sqlite":
        yield None
        return
    with Postgres() as server:
        yield server


@contextmanager
def _rooms(*folders: Path) -> Iterator[None]:
    """Folders of their own small size where we are root, so that they can be full; plain ones elsewhere."""
    for folder in folders:
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(ROOM), "gradlab-chaos", folder], check=True)
    try:
        yield
    finally:
        for folder in folders if os.geteuid() == 0 else ():
            subprocess.run(["umount", folder], check=True)


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return ""


def _line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []
