"""The matrix: which fault strikes at which moment of a submission's life, and where that can be tried."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from . import faults
from .faults import EVERY_CLOCK, HOUR_S, Fault

AWAY_S = 30.0
DATABASES, SANDBOXES = ("sqlite", "postgresql"), ("bubblewrap", "docker")


class Moment(StrEnum):
    """Where a submission is when the fault strikes."""

    HAND_IN = "while it is handed in"
    WAITING = "before the claim"
    RUNNING = "while it runs"
    REPORTED = "after the result, before the ack"


LATER = (Moment.WAITING, Moment.RUNNING, Moment.REPORTED)


@dataclass(frozen=True)
class Case:
    """One row. `once` says that nothing may be graded twice; `needs` is root, for folders that can be full."""

    what: str
    moment: Moment
    fault: Fault
    databases: tuple[str, ...] = DATABASES
    sandboxes: tuple[str, ...] = ("bubblewrap",)
    needs_root: bool = False
    once: bool = False
    asks_the_web: bool = False
    large: bool = False

    @property
    def name(self) -> str:
        """For the table, and to choose by."""
        return f"{self.what}, {self.moment}"


def all_cases(away_s: float = AWAY_S) -> list[Case]:
    """Every case; `away_s` is how long a database is gone."""
    both = SANDBOXES
    return [
        *_row("kill -9 pool child", faults.pool_children_killed, sandboxes=both),
        *_row("kill -9 worker", faults.killed("worker"), sandboxes=both),
        *_row("kill -9 sandbox", faults.sandboxes_killed),
        *_row("kill -9 container", faults.containers_killed, sandboxes=("docker",)),
        *_row("kill -9 Redis", faults.killed("redis")),
        *_row("kill -9 Redis, its data lost", faults.killed("redis", without_its_data=True)),
        *_row("kill -9 PostgreSQL", faults.postgres_killed, databases=("postgresql",)),
        *_row("kill -9 web", faults.killed("web"), once=True),
        Case("kill -9 web", Moment.HAND_IN, faults.killed("web"), large=True),
        *_row("FLUSHALL", faults.flushed),
        *_row("message comes five times", faults.duplicated, once=True),
        *_row("database gone", faults.database_away(away_s), asks_the_web=True),
        Case("database gone", Moment.HAND_IN, faults.database_away(away_s)),
        *_row("storage full", faults.full("files"), needs_root=True, once=True),
        Case("storage full", Moment.HAND_IN, faults.full("files"), needs_root=True),
        *_row("temporary folder full", faults.full("tmp"), needs_root=True),
        Case("temporary folder full", Moment.HAND_IN, faults.full("tmp"), needs_root=True, large=True),
        *_clocks(),
    ]


def chosen(database: str, sandbox: str, away_s: float = AWAY_S) -> list[Case]:
    """The cases of a site. The matrix of the containers is their own row and what leaves containers behind."""
    return [case for case in all_cases(away_s) if database in case.databases and sandbox in case.sandboxes]


def _row(
    what: str,
    fault: Fault,
    *,
    databases: tuple[str, ...] = DATABASES,
    sandboxes: tuple[str, ...] = ("bubblewrap",),
    needs_root: bool = False,
    once: bool = False,
    asks_the_web: bool = False,
) -> list[Case]:
    return [Case(what, moment, fault, databases, sandboxes, needs_root, once, asks_the_web) for moment in LATER]


def _clocks() -> list[Case]:
    moved = [("worker's clock", ("worker",)), ("every clock, queue emptied,", EVERY_CLOCK)]
    return [
        Case(f"{what} {step:+d} h", moment, faults.clock_moved(step * HOUR_S, *parts))
        for what, parts in moved
        for step in (1, -1)
        for moment in (Moment.WAITING, Moment.RUNNING)
    ]
