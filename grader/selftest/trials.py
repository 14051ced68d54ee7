"""The walls, how each is probed, and what counts as held."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from ..contract import Verdict
from ..judge.channel import Channel, StudentFault
from ..sandbox.base import Limits, Sandbox
from ..sandbox.bubblewrap import INODES

VARIABLE = "GRADLAB_SELFTEST"
DRIVER = Path(__file__).with_name("probes.py")
# Small, so that the whole test takes seconds; every wall is the same one at a lab's own limits.
LIMITS = Limits(wall_s=10.0, load_s=20.0, cpu_s=1.0, memory_mb=96, processes=12, disk_mb=4, output_kb=16)


@dataclass
class Attempt:
    """What one probe did: what it says it could do, how its run ended, and what it printed."""

    could: list[str] = field(default_factory=list)
    fault: StudentFault | None = None
    output: str = ""

    def stopped_by(self, verdict: Verdict) -> list[str]:
        """Nothing when the judge ended the run with this verdict; else what happened instead."""
        if self.fault is not None and self.fault.verdict is verdict:
            return []
        return self.could or [f"was not stopped: {self.fault or 'it answered'}"]

    def refused(self) -> list[str]:
        """What the probe could do; a run that ended early proves nothing."""
        return self.could if self.fault is None else [f"could not be probed: {self.fault}"]


@dataclass(frozen=True)
class Wall:
    """A wall, how it is probed, and how an attempt at it is judged."""

    name: str
    how: str
    probe: str
    judge: Callable[[Attempt], list[str]]
    arguments: dict[str, Any] = field(default_factory=dict)
    limits: Limits = LIMITS


@dataclass(frozen=True)
class Finding:
    """Whether a wall held, and what got through where it did not."""

    wall: Wall
    through: tuple[str, ...]
    seconds: float

    @property
    def held(self) -> bool:
        """Nothing got through."""
        return not self.through


class Host:
    """What is planted on this side of the walls for a probe to find."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(12)
        self.marker = f"gradlab-survivor-{secrets.token_hex(6)}"
        self.abstract = f"gradlab-selftest-{secrets.token_hex(6)}"
        secret = folder / "secret"
        secret.write_text(self.token)
        self.planted = [str(secret), str(DRIVER)]
        self._listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]
        self._listeners[1].bind(f"\0{self.abstract}")
        self._listeners[1].listen()
        self.port = int(self._listeners[0].getsockname()[1])
        # /proc shows the environment that a process began with, so the bait is one that began with the token; it ends with its input,
        # so a self-test that is killed leaves none behind
        self._bait = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={**os.environ, VARIABLE: self.token})  # noqa: S607

    def survivors(self, patience_s: float = 1.0) -> list[str]:
        """Processes of this host that carry the marker, after a moment in which the kernel ends them."""
        until = time.monotonic() + patience_s
        while (found := _processes_with(self.marker)) and time.monotonic() < until:
            time.sleep(0.02)
        return [f"process {pid} is alive" for pid in found]

    def close(self) -> None:
        """Take the bait away."""
        self._bait.kill()
        self._bait.communicate()
        for listener in self._listeners:
            listener.close()


def walls(host: Host) -> tuple[Wall, ...]:
    """Every wall, against what the host has planted."""
    longer = replace(LIMITS, cpu_s=30.0)
    short = replace(longer, wall_s=0.6)
    count, room = LIMITS.processes, LIMITS.disk_mb
    network = {"port": host.port, "abstract": host.abstract}
    return (
        Wall("network", "connects to this host, beyond it, and to a socket without a file", "network", _refused, network),
        Wall("other processes", "lists /proc", "processes", _refused),
        Wall("environment", "looks for a planted variable in every environment", "environment", _refused, {"token": host.token}),
        Wall("descriptors", "lists its own", "descriptors", _refused),
        Wall("host files", "opens planted files and where secrets lie", "host_files", _refused, {"planted": host.planted}),
        Wall("writes", "writes everywhere but in /tmp and /dev/shm", "writes", _refused),
        Wall("memory of the group", "holds 2 × the limit in eight processes", "memory", _out_of_memory, {"megabytes": 192}, longer),
        Wall("swap", "holds 1.5 × the limit in one process, for a second", "swap", _out_of_memory, {"megabytes": 144}, longer),
        Wall("processor time of the group", "burns it in four processes", "burn", _out_of_processor_time),
        Wall("processes", "starts 3 × as many as allowed", "fork_many", _refused, {"limit": count}, longer),
        Wall("disk", "writes 2 × the limit", "fill_disk", _refused, {"limit_mb": room}, longer),
        Wall("files", "makes 2 × as many as allowed", "many_files", _refused, {"limit": INODES}, longer),
        Wall("output", "prints 8 MB", "flood", _cut, {"megabytes": 8}, longer),
        Wall("survivors", "leaves a daemon behind", "daemon", lambda _: host.survivors(), {"marker": host.marker}, longer),
        Wall("tracing", "traces, and opens the memory of its init", "trace", _refused),
        Wall("user namespaces", "makes one", "user_namespaces", _refused),
        Wall("rights", "becomes root, looks for capabilities", "rights", _refused),
        Wall("/proc and /sys", "reads and writes the kernel's files", "kernel_files", _refused),
        Wall("devices", "opens and makes them", "devices", _refused),
        Wall("clock", "sets it", "clock", _refused),
        Wall("time", "sleeps past the judge's limit", "sleep_on", _out_of_time, {}, short),
    )  # fmt: skip


@contextmanager
def planted() -> Iterator[Host]:
    """A host with its bait, for as long as the walls are probed."""
    with TemporaryDirectory(prefix="gradlab-selftest-") as folder:
        host = Host(Path(folder))
        os.environ[VARIABLE] = host.token
        try:
            yield host
        finally:
            del os.environ[VARIABLE]
            host.close()


def probe(wall: Wall, sandbox: Sandbox) -> Finding:
    """Try one wall in a sandbox of its own, and judge once that is gone."""
    started = time.monotonic()
    attempt = Attempt()
    walled = sandbox.open(wall.limits, ("numpy",))  # the frames on the pipes are numpy's
    try:
        channel = Channel(walled, wall.limits, lambda: False)
        channel.ask(
            {"op": "load", "driver": DRIVER.read_text(encoding="utf-8"), "cells": [], "watched": []}, wall.limits.load_s
        )
        request = {"op": "call", "function": wall.probe, "arguments": wall.arguments}
        attempt.could = [str(line) for line in channel.ask(request, wall.limits.wall_s)]
        attempt.output = channel.take_output()
    except StudentFault as fault:
        attempt.fault = fault
    finally:
        walled.close()
    return Finding(wall, tuple(wall.judge(attempt)), time.monotonic() - started)


def _refused(attempt: Attempt) -> list[str]:
    return attempt.refused()


def _out_of_memory(attempt: Attempt) -> list[str]:
    return attempt.stopped_by(Verdict.MEMORY_LIMIT)


def _out_of_time(attempt: Attempt) -> list[str]:
    return attempt.stopped_by(Verdict.TIME_LIMIT)


def _out_of_processor_time(attempt: Attempt) -> list[str]:
    """Stopped, and for the processor's time, not for the clock on the wall."""
    return attempt.stopped_by(Verdict.TIME_LIMIT) or ([] if "(CPU)" in str(attempt.fault) else [str(attempt.fault)])


def _cut(attempt: Attempt) -> list[str]:
    kept = len(attempt.output.encode())
    return [] if kept < 2 * (LIMITS.output_kb << 10) else [f"{kept:,} bytes were kept"]


def _processes_with(marker: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if marker in (process.info["cmdline"] or [])]
