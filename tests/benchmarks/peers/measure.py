"""Wall seconds, CPU seconds of whole process trees, and the most memory that a tree held."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

PERIOD_S = 0.05


@dataclass
class Cost:
    """What a piece of work took: seconds of wall clock, and of user and system time of every process in it."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def metered() -> Iterator[Cost]:
    """The cost of commands that start and end inside the block. CPU is that of all children that were waited for, and of theirs."""
    cost, cpu, start = Cost(), _waited_cpu_s(), time.perf_counter()
    yield cost
    cost.wall_s, cost.cpu_s = time.perf_counter() - start, _waited_cpu_s() - cpu


def tree_cpu_s() -> float:
    """CPU seconds so far of this process, of its ended children, and of all that live below it (to 10 ms for each of these)."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it may end between the list and the look
            total += sum(process.cpu_times()[:4])
    return total


class Peak:
    """The largest sum of memory below this process while the block runs, in MiB, looked at every 50 ms.

    Memory is the proportional set size: a page that n processes share counts 1/n in each. The looks cost CPU time, so runs that are
    timed are not watched.
    """

    def __init__(self) -> None:
        self.mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(PERIOD_S):
            self.mib = max(self.mib, sum(map(_memory_mib, psutil.Process().children(recursive=True))))


def _memory_mib(process: psutil.Process) -> float:
    """Proportional set size, or the resident one where the kernel keeps the first to itself; 0 for a process that has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 2**20
    return 0.0


def _waited_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
