"""Every case in both sandboxes, as a table that grows while they run: each sandbox has a process of its own, as in a worker."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

from grader.contract import SandboxKind
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox

from .bench import Bench
from .cases import Case, load_cases
from .host import planted

SANDBOXES = (SandboxKind.BUBBLEWRAP, SandboxKind.DOCKER)


@dataclass(frozen=True)
class Row:
    """One case in one sandbox."""

    got: str
    seconds: float
    canary: float
    problems: tuple[str, ...]
    left: int


def main() -> int:
    """Print the table; 1 when something is not as it should be."""
    arguments = _arguments()
    cases = _chosen(arguments.only)
    kinds = [kind for kind in SANDBOXES if arguments.sandbox in ("", kind.value) and _is_here(kind)]
    started = time.monotonic()
    streams = [_start(kind, arguments.only) for kind in kinds]
    _say(
        f"{'case':46}{'expected':30}" + "".join(f"{kind.value:18}{'s':>5}{'canary':>8}{'left':>6}   " for kind in kinds)
    )
    rows: list[Row] = []
    for case in cases:
        of_case: list[Row] = [stream.recv() for stream in streams]
        _print(case, kinds, of_case)
        rows += of_case
    at_the_end = [line for stream in streams for line in stream.recv()]
    wrong, left = sum(bool(row.problems) for row in rows), sum(row.left for row in rows) + len(at_the_end)
    threats = {threat for case in cases for threat in case.threats}
    _say(
        f"{len(cases)} cases of {len(threats)} entries, {len(rows)} runs, {wrong} not as they should be, "
        f"{left} leftovers{''.join(f'; {line}' for line in at_the_end)}, {time.monotonic() - started:.0f} s"
    )
    return 1 if wrong or left else 0


def _print(case: Case, kinds: list[SandboxKind], rows: list[Row]) -> None:
    columns = [f"{row.got:18}{row.seconds:5.1f}{row.canary:8.2f}{row.left:6}   " for row in rows]
    _say(f"{case.name:46}{' | '.join(case.verdicts):30}" + "".join(columns))
    for kind, row in zip(kinds, rows, strict=True):
        for problem in row.problems:
            _say(f"    {kind.value}: {problem}")


def _start(kind: SandboxKind, only: str) -> Connection:
    """A process that sends a row for each case, and at last what it left behind."""
    context = get_context("spawn")  # a judge that was forked from another is no fresh worker
    ours, theirs = context.Pipe(duplex=False)
    context.Process(target=_run, args=(kind, only, theirs), daemon=False).start()
    theirs.close()
    return ours


def _run(kind: SandboxKind, only: str, rows: Connection) -> None:
    with planted() as host:
        bench = Bench(kind, host)
        try:
            for case in _chosen(only):
                tried = bench.attempt(case)
                rows.send(Row(tried.got, tried.seconds, tried.canary, tuple(tried.problems), len(tried.left)))
        finally:
            left = bench.close()
        rows.send(left)


def _chosen(only: str) -> list[Case]:
    return [case for case in load_cases() if fnmatch.fnmatch(case.name, only)]


def _is_here(kind: SandboxKind) -> bool:
    try:
        open_sandbox(kind, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        _say(f"{kind.value} is left out: {reason}")
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--only", default="*", help="a pattern of names, such as '06*'")
    parser.add_argument("--sandbox", default="", choices=["", *(kind.value for kind in SANDBOXES)])
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
