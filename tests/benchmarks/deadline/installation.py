"""Gradlab as production runs it: several web processes, two grading processes, a sweeper, Redis, and a database of the kind asked for."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from deploy.demo import limits_are_exact
from deploy.stack import ROOT, Stack, free_port
from tests.postgres import Postgres

from .audit import Reader
from .names import Visitor

PEOPLE = "tests.benchmarks.deadline.people"


class Database(StrEnum):
    """PostgreSQL with two web processes, as docker-compose.yml has it; SQLite with one, as on a single machine."""

    POSTGRES = "postgresql"
    SQLITE = "sqlite"


@dataclass(frozen=True)
class Installation:
    """A running Gradlab with the course of this benchmark in it."""

    stack: Stack
    reader: Reader
    database_pid: int = 0

    def enroll(self, *, students: int, submissions: int = 0) -> list[Visitor]:
        """More students with sessions, and `submissions` graded submissions each; the last visitor is an instructor."""
        command = [sys.executable, "-m", PEOPLE, f"--students={students}", f"--submissions={submissions}"]
        done = subprocess.run(
            command, env=self.stack.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
        return [Visitor(**line) for line in map(json.loads, done.stdout.splitlines())]

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of each part with all that it started."""
        parts = {name: process.pid for name, process in self.stack.processes.items()}
        parts |= {"database": self.database_pid} if self.database_pid else {}
        return {name: _tree_cpu_s(pid) for name, pid in parts.items()}

    def log_lines(self, text: str) -> int:
        """How often the parts' logs say this."""
        logs = (self.stack.data / "logs").glob("*.log")
        return sum(log.read_text(errors="replace").count(text) for log in logs)


@contextmanager
def installation(
    database: Database, *, web_workers: int, grading: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Everything up and empty, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="deadline-"))
    try:
        with (
            _server(database) as server,
            Stack(
                folder, free_port(), settings={**_settings(server.url if server else ""), **(settings or {})}
            ) as stack,
        ):
            stack.web_workers = web_workers
            stack.start_redis()
            stack.manage("migrate", "--verbosity", "0")
            stack.manage("collectstatic", "--noinput", "--verbosity", "0")
            stack.start_site() if grading else stack.start_web()
            with closing(Reader(server.url if server else str(folder / "db.sqlite3"))) as reader:
                yield Installation(stack, reader, server.pid if server else 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _server(database: Database) -> AbstractContextManager[Postgres | None]:
    return nullcontext() if database is Database.SQLITE else Postgres()


def _settings(url: str) -> dict[str, str]:
    """Production's settings, but for HTTPS, which is the proxy's part."""
    return {
        "GRADLAB_SECRET_KEY": secrets.token_hex(25),
        "GRADLAB_RECEIPT_KEY": secrets.token_hex(25),
        "GRADLAB_DATABASE_URL": url,
        "GRADLAB_HTTPS": "0",
        "GRADLAB_ALLOW_APPROXIMATE_LIMITS": "0" if limits_are_exact() else "1",
    }


def _tree_cpu_s(pid: int) -> float:
    """User and system time of a process, of those below it, and of those of them that have ended."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:  # it ended between the list and the look
            continue
    return total
