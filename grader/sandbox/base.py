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
    hit_process_limit: bool = False


class SandboxUnavailable(Exception):  # noqa: N818 - says that a wall cannot be built here
    """This host cannot give the walls or the limits that were asked for; the text says which, and what to do."""


class Walled(Protocol):
    """A running sandbox."""

    process: subprocess.Popen[bytes]

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

    def open(self, limits: Limits, packages: tuple[str, ...]) -> Walled:
        """Start `grader.inside` behind the walls; raises `SandboxUnavailable`."""
        ...


INSIDE = Path(__file__).resolve().parent.parent / "inside"
BOOT = "import sys; sys.path[:0] = {path!r}; from inside.main import main; main()"


def boot_arguments(python: str, import_path: list[str], walls_json: str) -> list[str]:
    """The command line of the process inside: isolated, without site-packages, writing no bytecode."""
    return [python, "-I", "-S", "-B", "-c", BOOT.format(path=import_path), walls_json]


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
