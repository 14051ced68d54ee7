"""Pid 1 of a run: forks the process that the student's code runs in, collects orphans, and ends with it, which ends everything inside.

It belongs to the same uid as the run where there is one uid only, so it makes itself unreadable: its environment, memory and
descriptors are the kernel's then, and signals do not reach a pid 1 that asks for none.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Sequence

from . import kernel

KILLED, RUN_KILLED = 128 + signal.SIGKILL, 128


def exit_code(status: int) -> int:
    """What pid 1 of a container exits with: 128 + n where signal n ended the run, and `RUN_KILLED` where the run was killed.

    `KILLED` is then what the engine says of a pid 1 that was killed itself, which nobody inside can do.
    """
    code = status if status >= 0 else 128 - status
    return RUN_KILLED if code == KILLED else code


def start(run: Callable[[], None], gate: int = -1, not_mine: Sequence[int] = ()) -> int | None:
    """Fork `run`, wait for it, and return its exit status, negative for a signal; None when the other end of `gate` closes first.

    A judge that dies closes its end, so nobody's run outlives it. `not_mine` are the run's descriptors, closed on this side of the fork.
    """
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(woken)
        os.close(wake)
        run()
        os._exit(0)
    for descriptor in not_mine:
        os.close(descriptor)
    kernel.set_dumpable(False)
    return _watch(child, woken, gate)


def _watch(child: int, woken: int, gate: int) -> int | None:
    watched = [woken, gate] if gate >= 0 else [woken]
    while True:
        status = _reap(child)
        if status is not None:
            return status
        ready, _, _ = select.select(watched, [], [])
        if gate in ready:
            return None  # nothing is ever sent here once a run has begun: it is the end of the stream
        if woken in ready:
            os.read(woken, 1 << 12)


def _reap(child: int) -> int | None:
    """Collect whoever has ended; the child's exit status once that is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == child:
            return os.waitstatus_to_exitcode(status)
        if pid == 0:
            return None
