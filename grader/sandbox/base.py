"""The sandbox interface: open a walled process with three pipes, watch what it uses, end everything it started."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Limits:
    """What a run may use. `wall_s` is for one check, the rest for one sandbox (one task's checks)."""

    wall_s: float = 10.0
    load_s: float = 20.0
    cpu_s: float = 60.0
    memory_mb: int = 1024
    processes: int = 32
    disk_mb: int = 32
    output_kb: int = 64


@dataclass(frozen=True)
class Usage:
    """What a run has used so far, from the kernel's books and not from the process itself."""

    cpu_s: float = 0.0
    memory_peak_mb: float = 0.0
    hit_memory_limit: bool = False
    refused_processes: int = 0  # how often a process or thread was refused
    exact: bool = False  # whether the processor time is the kernel's own account of the whole group


class SandboxUnavailable(Exception):  # noqa: N818 - says that a wall cannot be built here
    """This host cannot give the walls or the limits that were asked for; the text says which, and what to do."""


class Walled(Protocol):
    """A running sandbox. The three descriptors are the judge's ends of its pipes."""

    @property
    def stdin(self) -> int: ...
    @property
    def stdout(self) -> int: ...
    @property
    def stderr(self) -> int: ...

    def is_alive(self) -> bool:
        """Whether it still runs."""
        ...

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, 128 + n where signal n ended it; None when it still runs after `timeout_s`, or nobody knows."""
        ...

    def usage(self) -> Usage:
        """Use so far, of everything inside."""
        ...

    def close(self) -> None:
        """Kill everything that the run started and remove what it left. Safe to call twice."""
        ...


class Sandbox(Protocol):
    """A way to wall a process off."""

    @property
    def name(self) -> str:
        """For the report: the kind, and whether its limits are exact."""
        ...

    def remove_leftovers(self) -> int:
        """Remove what killed workers of this host left behind; returns how many things."""
        ...

    def open(self, limits: Limits, packages: tuple[str, ...], *, gpu: bool = False) -> Walled:
        """Start `grader.inside` behind the walls, with a GPU or without; raises `SandboxUnavailable`."""
        ...


class PipedProcess:
    """A child process as a `Walled`: what all sandboxes share that start one."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command lines
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        self._pipes = [pipe for pipe in (self.process.stdin, self.process.stdout, self.process.stderr) if pipe]
        self.stdin, self.stdout, self.stderr = (pipe.fileno() for pipe in self._pipes)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def wait(self, timeout_s: float) -> int | None:
        """The exit status; 128 + n where signal n ended it."""
        try:
            status = self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None
        return 128 - status if status < 0 else status

    def close(self) -> None:
        """End the process and close the pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in self._pipes:
            pipe.close()


INSIDE = Path(__file__).resolve().parent.parent / "inside"
BOOT = "import sys; sys.path[:0] = {path!r}; from inside.{module} import main; main()"


def boot_arguments(python: str, module: str, import_path: list[str], *arguments: str) -> list[str]:
    """The command line of a process inside: isolated, without site-packages, writing no bytecode."""
    return [python, "-I", "-S", "-B", "-c", BOOT.format(path=import_path, module=module), *arguments]


# One thread each: student code shares two cores with everybody else's, and honest imports must not meet the process limit.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - inside the sandbox, a private tmpfs
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


def environment(*, gpu: bool) -> dict[str, str]:
    """A run's environment. Without a GPU triton interprets kernels, which it has to know before it is imported."""
    return ENVIRONMENT if gpu else ENVIRONMENT | {"TRITON_INTERPRET": "1"}
