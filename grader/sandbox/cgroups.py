"""Control groups, version 1 and 2: the kernel's own limits and books for everything that a run starts.

A run's init joins the group before it starts anything, so that nothing runs outside of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path

from .base import Limits, SandboxUnavailable, Usage

MOUNT = Path("/sys/fs/cgroup")
STALE_S = 60.0
INIT_PROCESSES = 1  # the run's init, beside what the student's code starts


class Cgroup(ABC):
    """One run's group."""

    @property
    @abstractmethod
    def entrances(self) -> list[Path]:
        """Files that a process of one thread joins by, writing 0; what it starts from then on is in the group too.

        A process that moves itself, and not another, spares the kernel a lock that all processes of the host wait for, some
        milliseconds each time.
        """

    @abstractmethod
    def usage(self) -> Usage:
        """What the group has used so far."""

    @abstractmethod
    def _directories(self) -> list[Path]: ...

    def close(self, patience_s: float = 5.0) -> None:
        """Kill every process in the group, then remove it. Raises `SandboxUnavailable` when something survives SIGKILL."""
        deadline, pause_s = time.monotonic() + patience_s, 0.0002
        while _kill_all(self._directories()[0] / "cgroup.procs") or not self._remove():
            if time.monotonic() > deadline:
                raise SandboxUnavailable(
                    f"a sandbox could not be cleaned up: {self._directories()[0].name} is still busy"
                )
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.01)

    def _remove(self) -> bool:
        try:
            for directory in self._directories():
                if directory.exists():
                    directory.rmdir()
        except OSError:  # the kernel frees a killed process's group a moment later
            return False
        return True


class CgroupV1(Cgroup):
    """A directory in each of the controllers memory, pids and cpuacct."""

    controllers = ("pids", "memory", "cpuacct")

    def __init__(self, limits: Limits) -> None:
        name = run_name()
        self._at = {controller: MOUNT / controller / "gradlab" / name for controller in self.controllers}
        for directory in self._at.values():
            directory.mkdir(parents=True)
        memory = str(limits.memory_mb << 20)
        _write(self._at["memory"] / "memory.limit_in_bytes", memory)
        swap = self._at["memory"] / "memory.memsw.limit_in_bytes"
        if swap.exists():
            _write(swap, memory)
        _write(self._at["pids"] / "pids.max", str(limits.processes + INIT_PROCESSES))

    @staticmethod
    def available() -> bool:
        """Whether this process may make such groups."""
        return all(os.access(MOUNT / c, os.W_OK) and (MOUNT / c / "tasks").exists() for c in CgroupV1.controllers)

    @property
    def entrances(self) -> list[Path]:
        return [self._at[controller] / "tasks" for controller in self.controllers]

    def usage(self) -> Usage:
        return usage_v1(self._at["memory"], self._at["pids"], self._at["cpuacct"])

    def _directories(self) -> list[Path]:
        return list(self._at.values())


class CgroupV2(Cgroup):
    """One directory in the unified tree, below a parent whose controllers this process may enable."""

    def __init__(self, limits: Limits) -> None:
        parent = MOUNT / "gradlab"
        parent.mkdir(exist_ok=True)
        _write(parent / "cgroup.subtree_control", "+memory +pids +cpu")
        self._at = parent / run_name()
        self._at.mkdir()
        _write(self._at / "memory.max", str(limits.memory_mb << 20))
        _write(self._at / "memory.swap.max", "0")
        _write(self._at / "memory.oom.group", "1")
        _write(self._at / "pids.max", str(limits.processes + INIT_PROCESSES))

    @staticmethod
    def available() -> bool:
        """Whether this process may make such groups."""
        controllers = _read(MOUNT / "cgroup.controllers").split()
        return os.access(MOUNT, os.W_OK) and {"memory", "pids"} <= set(controllers)

    @property
    def entrances(self) -> list[Path]:
        return [self._at / "cgroup.procs"]

    def usage(self) -> Usage:
        return usage_v2(self._at)

    def _directories(self) -> list[Path]:
        return [self._at]


def run_name() -> str:
    """A name of its own for each run; it tells which process of this host made it."""
    return f"run-{os.getpid()}-{_pid_namespace()}-{secrets.token_hex(6)}"


def remove_leftovers() -> int:
    """End and remove what killed workers of this host left in their groups. Returns how many groups were removed.

    A group's name tells whose it is. One whose owner is gone holds nobody's work and goes at once; any other goes when it is old and
    empty: its owner lives in another pid namespace, or its number was used again.
    """
    parents = [MOUNT / controller / "gradlab" for controller in CgroupV1.controllers] + [MOUNT / "gradlab"]
    groups = [group for parent in parents for group in parent.glob("run-*")]
    return sum(_end(group) if _owner_is_gone(group.name) else _remove_old(group) for group in groups)


def _end(group: Path, patience_s: float = 2.0) -> bool:
    """Kill what is in the group and remove it; the kernel takes a moment to empty it."""
    until = time.monotonic() + patience_s
    while group.exists() and time.monotonic() < until:
        _kill_all(group / "cgroup.procs")
        with contextlib.suppress(OSError):
            group.rmdir()
            return True
        time.sleep(0.02)
    return False


def _remove_old(group: Path) -> bool:
    with contextlib.suppress(OSError):  # somebody else removed it, or it is in use after all
        if time.time() - group.stat().st_mtime > STALE_S:
            group.rmdir()
            return True
    return False


def _owner_is_gone(name: str) -> bool:
    """Whether the process that made a group has ended. Of another pid namespace that cannot be known from here."""
    _, owner, namespace = name.split("-")[:3]
    return namespace == _pid_namespace() and not Path("/proc", owner).exists()


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _kill_all(procs: Path) -> bool:
    """SIGKILL to every process in the group; whether there was one."""
    pids = [int(pid) for pid in _read(procs).split()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def usage_v1(memory: Path, pids: Path, cpuacct: Path) -> Usage:
    """The books of a group in version 1; zeros when it is gone."""
    return Usage(
        cpu_s=int(_read(cpuacct / "cpuacct.usage") or 0) / 1e9,
        memory_peak_mb=int(_read(memory / "memory.max_usage_in_bytes") or 0) / 2**20,
        hit_memory_limit=_counter(_read(memory / "memory.oom_control"), "oom_kill") > 0,
        refused_processes=_counter(_read(pids / "pids.events"), "max"),
        exact=True,
    )


def usage_v2(group: Path) -> Usage:
    """The books of a group in version 2; zeros when it is gone."""
    return Usage(
        cpu_s=_counter(_read(group / "cpu.stat"), "usage_usec") / 1e6,
        memory_peak_mb=int(_read(group / "memory.peak") or 0) / 2**20,
        hit_memory_limit=_counter(_read(group / "memory.events"), "oom_kill") > 0,
        refused_processes=_counter(_read(group / "pids.events"), "max"),
        exact=True,
    )


def make_cgroup(limits: Limits) -> Cgroup | None:
    """A fresh group with these limits, or None where the host lets this process make none."""
    for kind in (CgroupV1, CgroupV2):
        if kind.available():
            return kind(limits)
    return None


def cgroups_available() -> bool:
    """Whether limits on this host are the kernel's, and so exact."""
    return CgroupV1.available() or CgroupV2.available()


def _read(path: Path) -> str:
    """A group's file; empty when the group is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError as error:
        raise SandboxUnavailable(f"the limit {path.name} cannot be set to {value}: {error.strerror}") from error


def _counter(text: str, name: str) -> int:
    """The number behind `name` in a file of `name number` lines; 0 when absent."""
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
