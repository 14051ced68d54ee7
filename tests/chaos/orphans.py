"""What is left of a part that died: processes without one that we look after, runs, control groups, containers, mounts.

This process adopts whatever loses its parent below it, so nothing that a part started can get out of sight.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.hostile.leftovers import depth, docker, mounts
from tests.support import leftover_groups

PR_SET_CHILD_SUBREAPER = 36
LISTED = '{{.ID}} {{.Label "gradlab.owner"}}'


def adopt_orphans(yes: bool) -> None:
    """Become the parent of processes below us whose own parent ends, or leave that to the machine again."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


class Orphans:
    """Compares with the moment when it was made. `parts` says which processes of ours are looked after."""

    def __init__(self, parts: Callable[[], set[int]], *, engine: bool) -> None:
        self._parts, self._engine = parts, engine
        self._mounts = set(mounts())
        self._known: set[int] = set()

    def note(self) -> None:
        """Remember who is there: control groups and containers are named after the process that made them. Collect who has ended."""
        self._strays()
        self._known |= {process.pid for process in psutil.Process().children(recursive=True)}

    def containers(self, *, of_the_dead: bool = False) -> list[str]:
        """Ids of the containers that processes of ours made."""
        if not self._engine:
            return []
        made = [
            line.split(" ", 1)
            for line in docker("ps", "-a", "--filter", "label=gradlab.run", "--format", LISTED).splitlines()
        ]
        owners = {number: int(owner.split("|")[1]) for number, owner in made}
        return [
            number
            for number, owner in owners.items()
            if owner in self._known and not (of_the_dead and psutil.pid_exists(owner))
        ]

    def runs(self) -> list[psutil.Process]:
        """Processes in namespaces of a run, two below ours."""
        ours, found = depth(os.getpid()), []
        for process in psutil.Process().children(recursive=True):
            with suppress(OSError, psutil.Error):
                if depth(process.pid) >= ours + 2 and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def found(self, patience_s: float) -> list[str]:
        """A line for each thing that is still there when the patience is over."""
        until = time.monotonic() + patience_s
        while (left := self._look()) and time.monotonic() < until:
            time.sleep(0.1)
        return left

    def _look(self) -> list[str]:
        self.note()
        return [
            *(f"process {_named(process)}" for process in self._strays()),
            *(f"run {_named(process)}" for process in self.runs()),
            *(f"control group {path}" for path in leftover_groups(self._known)),
            *(f"container {number}" for number in self.containers(of_the_dead=True)),
            *(f"mount {point}" for point in mounts() if point not in self._mounts and not _is_of_others(point)),
        ]

    def _strays(self) -> list[psutil.Process]:
        """Our own children that are no part: their parent died. Those that have ended are collected."""
        parts, strays = self._parts(), []
        for process in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                if process.pid in parts:
                    continue
                if process.status() == psutil.STATUS_ZOMBIE:
                    with suppress(ChildProcessError):
                        os.waitpid(process.pid, os.WNOHANG)
                else:
                    strays.append(process)
        return strays


def _is_of_others(point: str) -> bool:
    """The container engine's, and those of another run of this suite."""
    return "docker" in point or "gradlab-chaos-" in point


def _named(process: psutil.Process) -> str:
    with suppress(OSError, psutil.Error):
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{process.pid} {line[:120] or process.name()}"
    return str(process.pid)
