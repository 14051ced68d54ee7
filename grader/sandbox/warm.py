"""Single-use runs that wait: started ahead, used once, replaced in the background. For what is slow to start: containers, GPU contexts."""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from .base import SandboxUnavailable, Walled

WAITING, KINDS, MEMORY_MB = 2, 3, 16_384


class Waiting(Walled, Protocol):
    """A run that may have died while it waited."""

    def is_alive(self) -> bool:
        """Whether it still waits."""
        ...


R = TypeVar("R", bound=Waiting)


class WarmRuns(Generic[R]):
    """Runs by kind; the kinds used last are kept, within a bound of memory. A process that was forked from this one starts with none."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, tuple[int, list[R]]] = OrderedDict()
        self._lock = threading.Lock()
        self._filling: dict[Hashable, threading.Thread] = {}
        self._closing = False
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def take(self, kind: Hashable, memory_mb: int, make: Callable[[], R]) -> R:
        """A run that waits, or a fresh one where none does; its successor is started in the background."""
        run = self._pop(kind, memory_mb)
        while run is not None and not run.is_alive():
            run.close()
            run = self._pop(kind, memory_mb)
        found = make() if run is None else run
        self._refill(kind, make)
        return found

    def close(self) -> None:
        """End all that wait, and those that are just being started."""
        self._closing = True
        for thread in list(self._filling.values()):
            thread.join(timeout=60)
        with self._lock:
            waiting, self._waiting = self._waiting, OrderedDict()
        self._closing = False
        _end([run for _, runs in waiting.values() for run in runs])

    def _pop(self, kind: Hashable, memory_mb: int) -> R | None:
        with self._lock:
            _, runs = self._waiting.setdefault(kind, (memory_mb, []))
            self._waiting.move_to_end(kind)
            return runs.pop() if runs else None

    def _refill(self, kind: Hashable, make: Callable[[], R]) -> None:
        with self._lock:
            if kind in self._filling:
                return
            thread = threading.Thread(target=self._fill, args=(kind, make), name="warm-runs", daemon=True)
            self._filling[kind] = thread
            thread.start()

    def _fill(self, kind: Hashable, make: Callable[[], R]) -> None:
        try:
            while not self._closing and self._wants(kind):
                run = make()
                with self._lock:
                    self._waiting[kind][1].append(run)
        except (SandboxUnavailable, OSError, KeyError):
            return  # the next run starts its own and meets the fault where it can be told
        finally:
            with self._lock:
                self._filling.pop(kind, None)
                over = [self._waiting.popitem(last=False)[1][1] for _ in range(len(self._waiting) - KINDS)]
            _end([run for runs in over for run in runs])

    def _wants(self, kind: Hashable) -> bool:
        with self._lock:
            held = sum(memory_mb * len(runs) for memory_mb, runs in self._waiting.values())
            memory_mb, mine = self._waiting[kind]
        return len(mine) < WAITING and held + memory_mb <= MEMORY_MB

    def _forget(self) -> None:
        self._waiting, self._lock, self._filling = OrderedDict(), threading.Lock(), {}


def _end(runs: list[R]) -> None:
    for run in runs:
        with suppress(SandboxUnavailable, OSError):
            run.close()
