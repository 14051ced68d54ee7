"""What a run may have left on this machine: processes, containers, files, mounts, control groups, shared memory.

Other workers of this machine use the same sandboxes at the same time, so only what is ours, or what nobody owns, counts; and the kernel
gets a moment to take away what was killed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support import leftover_groups

RUN_UIDS = range(200_000, 900_000)  # of bubblewrap's runs, where the judge is root
NOBODY = 65534  # of docker's
PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/etc", "/")
PREFIX = "hostile-"  # of every file that a submission makes
CONTAINER = re.compile(r"docker[/-]([0-9a-f]{64})")
PATIENCE_S = 3.0


class Leftovers:
    """Looks for what was not there when it was made. `image`: the tag that this session's containers were started from."""

    def __init__(self, image: str = "") -> None:
        self._image = image
        self._files, self._mounts, self._shared = set(_files()), set(mounts()), set(_shared())
        self._waiting = (0, 0)
        self.control: int | None = None  # another judge that we started; what waits there is not ours
        self._told: set[str] = set()  # one case is told of a leftover, not all that follow

    def settle(self) -> None:
        """Count what waits for a next run, containers and processes: a sandbox may keep some warm, and never more than now."""
        seen = (-1, -1)
        while (now := (len(self._containers()), len(self._nested()))) != seen:
            seen = now
            time.sleep(1.5)
        self._waiting = seen

    def at_the_end(self) -> list[str]:
        """What is there when nothing waits any more."""
        self._waiting, self._told = (0, 0), set()
        return self.found()

    def found(self, patience_s: float = PATIENCE_S) -> list[str]:
        """One line for each new thing that is still there when the patience is over."""
        until = time.monotonic() + patience_s
        try:
            while (left := [line for line in self._look() if line not in self._told]) and time.monotonic() < until:
                time.sleep(0.05)
        except subprocess.TimeoutExpired as silence:
            return [f"the container engine does not answer: {silence}"]
        if left:
            self._told.update(left)
            containers, processes = self._waiting
            self._waiting = (max(containers, len(self._containers())), max(processes, len(self._nested())))
        return left

    def _look(self) -> list[str]:
        return [
            *_strangers(),
            *_more(self._nested(), self._waiting[1], "processes in namespaces of ours"),
            *(f"file {path}" for path in _files() if path not in self._files),
            *(f"shared memory {line}" for line in _shared() if line not in self._shared),
            *(f"control group {path}" for path in leftover_groups()),
            *(f"mount {point}" for point in mounts() if point not in self._mounts and "docker" not in point),
            *(self._of_docker() if self._image else ()),
        ]

    def _of_docker(self) -> list[str]:
        """More containers than wait; and processes, groups and mounts of containers that the engine no longer knows."""
        suspects = [*_in_container_groups(), *_container_groups()]
        merged = sum(point.endswith("/merged") and "docker" in point for point in mounts())
        ids = set(docker("ps", "-aq", "--no-trunc").split())
        left = [*_more(self._containers(), self._waiting[0], "containers")]
        left += [what for owner, what in suspects if owner not in ids]
        return left + ([f"{merged} mounts of {len(ids)} containers"] if merged > len(ids) else [])

    def _containers(self) -> list[str]:
        """Names of the containers of our image's own tag."""
        if not self._image:
            return []
        listed = docker("ps", "-a", "--format", "{{.Image}} {{.Names}}").splitlines()
        return [line.split()[1] for line in listed if line.split()[0] == self._image]

    def _nested(self) -> list[str]:
        """Processes that we started and that are two pid namespaces below ours, where runs are."""
        theirs = _descendants(self.control) if self.control else set()
        ours, found = depth(os.getpid()), []
        for pid in _descendants() - theirs:
            with suppress(OSError):
                if depth(pid) >= ours + 2:
                    found.append(str(pid))
        return found


def _more(things: list[str], allowed: int, what: str) -> list[str]:
    return [f"{len(things)} {what}, not {allowed}: {', '.join(things)}"] if len(things) > allowed else []


def _strangers() -> list[str]:
    """Processes with a run's uid that no other worker's bubblewrap holds: a run that waits has no uid of its own yet."""
    mine = _descendants()
    left = []
    for process in psutil.process_iter(["uids", "name"]):
        with suppress(psutil.Error):
            uid = process.info["uids"].real
            if uid in RUN_UIDS and not _held_by_others(process, mine):
                left.append(f"process {process.pid} ({process.info['name']}, uid {uid})")
    return left


def _descendants(pid: int | None = None) -> set[int]:
    """Of a process that may be gone; without a pid, of ours."""
    try:
        return {process.pid for process in psutil.Process(pid).children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _held_by_others(process: psutil.Process, mine: set[int]) -> bool:
    return process.pid not in mine and any(parent.name() == "bwrap" for parent in process.parents())


def depth(pid: int) -> int:
    """How many pid namespaces the process is in, counted from ours."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(len(line.split()) - 1 for line in lines if line.startswith("NSpid:"))


def _files() -> Iterator[str]:
    for place in PLACES:
        with suppress(FileNotFoundError), os.scandir(place) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    uid = entry.stat(follow_symlinks=False).st_uid
                    if uid in RUN_UIDS or uid == NOBODY or entry.name.startswith(PREFIX):
                        yield entry.path


def mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _shared() -> list[str]:
    """System V shared memory, semaphores and queues of a run's uid."""
    found = []
    for kind in ("shm", "sem", "msg"):
        with suppress(FileNotFoundError):
            lines = [line.split() for line in Path("/proc/sysvipc", kind).read_text().splitlines()]
            column = lines[0].index("uid")
            found += [f"{kind} {line[1]}" for line in lines[1:] if int(line[column]) in {*RUN_UIDS, NOBODY}]
    return found


def _in_container_groups() -> list[tuple[str, str]]:
    found = []
    for pid in psutil.pids():
        with suppress(OSError):
            if match := CONTAINER.search(Path(f"/proc/{pid}/cgroup").read_text()):
                found.append((match[1], f"process {pid} of a container that is gone"))
    return found


def _container_groups() -> list[tuple[str, str]]:
    mount = Path("/sys/fs/cgroup")
    groups = [*mount.glob("*/docker/*"), *mount.glob("system.slice/docker-*.scope")]
    return [(match[1], f"control group {group}") for group in groups if (match := CONTAINER.search(str(group)))]


def docker(*arguments: str) -> str:
    docker = shutil.which("docker") or "docker"
    return subprocess.run([docker, *arguments], capture_output=True, text=True, timeout=15, check=False).stdout
