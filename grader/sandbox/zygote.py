"""The judge's end of the warm fork server: starts it behind the outer walls, asks for runs, starts another when it is spent."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from ..inside.zygote import BUILT, STATUS
from .base import Limits, SandboxUnavailable, Usage
from .cgroups import Cgroup, make_cgroup

START_S, BUILD_S, END_S = 60.0, 20.0, 10.0
RUNS = 500  # forks of one server before it is replaced
KEPT = (
    4  # servers, one for each set of packages (three labs and the reader of PDFs), the least recently used goes first
)

NOTHING: dict[str, str] = {}  # the server's environment: what it does not have, no run can read

Command = Callable[[int], list[str]]


class Run:
    """One forked run: a `Walled`. Its pidfd is of the init whose end is the end of all."""

    def __init__(self, pipes: tuple[int, int, int], gate: socket.socket, init: int, cgroup: Cgroup | None) -> None:
        self.stdin, self.stdout, self.stderr = pipes
        self._gate, self._init, self._cgroup = gate, init, cgroup
        self._status: int | None = None
        self._last = Usage()
        self._memory_mb = float("inf")
        self.server: Zygote | None = None  # one that was started for this run alone ends with it
        self.pid = _pid_of(init)

    def start(self, limits: Limits) -> None:
        """Wait until the namespaces stand and the init is in its group, and let it go."""
        self._gate.settimeout(BUILD_S)
        said = self._gate.recv(1000)
        if said != BUILT:
            raise SandboxUnavailable(
                f"a sandbox could not be built: {said.decode(errors='replace') or 'its init died'}"
            )
        self._memory_mb = limits.memory_mb
        self._gate.send(b"!")

    def is_alive(self) -> bool:
        """Whether its init lives."""
        return self._init >= 0 and not select.select([self._init], [], [], 0)[0]

    def wait(self, timeout_s: float) -> int | None:
        """The exit status; 128 + n where signal n ended the run; None when it runs on or was killed from outside."""
        if self._status is None:
            self._gate.settimeout(timeout_s)
            with suppress(OSError):
                data = self._gate.recv(STATUS.size)
                self._status = STATUS.unpack(data)[0] if len(data) == STATUS.size else None
                if not data:  # its init was killed, and is gone in a moment
                    select.select([self._init], [], [], timeout_s)
        status = self._status
        return 128 - status if status is not None and status < 0 else status

    def usage(self) -> Usage:
        """The kernel's books; without control groups, a sum over the processes seen now."""
        self._last = self._cgroup.usage() if self._cgroup else self._polled()
        return self._last

    def close(self) -> None:
        """Kill the init, and with it everything inside; then remove the group."""
        if self._init < 0:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._init, signal.SIGKILL)
        gone, _, _ = select.select([self._init], [], [], END_S)
        if self._cgroup:
            self._cgroup.close()
        for descriptor in (self.stdin, self.stdout, self.stderr, self._init):
            os.close(descriptor)
        self._gate.close()
        self._init = -1
        if self.server is not None:
            self.server.close()
        if not gone:
            raise SandboxUnavailable("a sandbox could not be cleaned up: its init does not end")

    def _polled(self) -> Usage:
        cpu, memory = 0.0, 0.0
        for process in _descendants(self.pid):
            with suppress(psutil.Error):  # it may end between the list and the look
                times = process.cpu_times()
                cpu += times.user + times.system
                memory += _memory_of(process) / 2**20
        return Usage(
            cpu_s=max(self._last.cpu_s, cpu),
            memory_peak_mb=max(self._last.memory_peak_mb, memory),
            hit_memory_limit=self._last.hit_memory_limit or memory > self._memory_mb,
        )


class Zygote:
    """One fork server. `command` makes its command line from the descriptor of its socket."""

    def __init__(self, command: Command) -> None:
        self._lock = threading.Lock()
        self.runs = 0
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, tempfile.TemporaryFile() as errors:
            arguments = command(theirs.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=NOTHING,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
            self._socket.settimeout(START_S)
            if self._receive()[0] != b"ready":
                self.close()
                errors.seek(0)
                said = errors.read()[-600:].decode(errors="replace").strip()
                raise SandboxUnavailable(f"the sandbox did not start: {said or 'it said nothing'}")

    def fork(self, walls: dict[str, Any], mounts: list[tuple[str, str]], limits: Limits) -> Run:
        """A new run; raises `SandboxUnavailable` when the server is gone or its walls cannot be built."""
        ours, theirs = _pipes()
        gate, far_gate = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"walls": walls, "mounts": mounts}).encode()
        cgroup = make_cgroup(limits)
        entrances = [os.open(path, os.O_WRONLY) for path in cgroup.entrances] if cgroup else []
        with far_gate:
            init, said = self._ask(request, [*theirs, far_gate.fileno(), *entrances])
        _close(*theirs, *entrances)
        if init is None:
            _close(*ours)
            gate.close()
            if cgroup:
                cgroup.close()
            raise SandboxUnavailable(f"the sandbox could not be forked: {said}")
        self.runs += 1
        run = Run(ours, gate, init, cgroup)
        try:
            run.start(limits)
        except (OSError, SandboxUnavailable) as error:
            run.close()
            raise SandboxUnavailable(str(error)) from error
        return run

    def _ask(self, request: bytes, descriptors: list[int]) -> tuple[int | None, str]:
        """The pidfd of a new init, or None and why there is none."""
        with self._lock:
            try:
                socket.send_fds(self._socket, [request], descriptors)
            except OSError as error:
                return None, f"its server is gone ({error.strerror})"
            answer, received = self._receive()
        return (received[0], "") if received else (None, answer.decode() or "its server died")

    def close(self) -> None:
        """End the server, and with it every run that it still has."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 12, 1)
        except OSError:
            return b"", []
        return data, list(descriptors)


class ZygotePool:
    """Warm servers by their packages. A process that was forked from this one starts its own."""

    def __init__(self) -> None:
        self._servers: OrderedDict[tuple[str, ...], Zygote] = OrderedDict()
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def fork(
        self,
        packages: tuple[str, ...],
        command: Command,
        walls: dict[str, Any],
        mounts: list[tuple[str, str]],
        limits: Limits,
    ) -> Run:
        """A run of a warm server; one that is spent or dead is replaced, once."""
        try:
            return self._server(packages, command).fork(walls, mounts, limits)
        except SandboxUnavailable:
            self._drop(packages)
            return self._server(packages, command).fork(walls, mounts, limits)

    def close(self) -> None:
        """End every server."""
        for packages in list(self._servers):
            self._drop(packages)

    def _server(self, packages: tuple[str, ...], command: Command) -> Zygote:
        with self._lock:
            server = self._servers.pop(packages, None)
            if server is not None and server.runs >= RUNS:
                server.close()
                server = None
            if server is None:
                server = Zygote(command)
            self._servers[packages] = server
            while len(self._servers) > KEPT:
                self._servers.popitem(last=False)[1].close()
            return server

    def _drop(self, packages: tuple[str, ...]) -> None:
        with self._lock:
            server = self._servers.pop(packages, None)
        if server is not None:
            server.close()

    def _forget(self) -> None:
        self._servers, self._lock = OrderedDict(), threading.Lock()


def _pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Three pipes: the judge's ends, and the run's."""
    (their_in, our_in), (our_out, their_out), (our_error, their_error) = os.pipe(), os.pipe(), os.pipe()
    return (our_in, our_out, our_error), (their_in, their_out, their_error)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _pid_of(pidfd: int) -> int:
    """The process behind a pidfd, by this process's counting."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as lines:  # noqa: PTH123 - a descriptor, not a path
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


def _memory_of(process: psutil.Process) -> int:
    """Bytes that are a process's own: what it shares with the server that it was forked from is divided among them."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
