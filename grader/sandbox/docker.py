"""The container sandbox: one fresh container for each run, of an image that we build and pin, with nothing of the host in it.

Killing the client does not kill a container, so each carries a name and a label and is removed by name.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess

from . import seccomp
from .base import ENVIRONMENT, Limits, PipedProcess, SandboxUnavailable, Usage, boot_arguments
from .cgroups import MOUNT, usage_v1, usage_v2

LABEL = "gradlab.run"
IMAGE = "gradlab-runner:cpu"
UID = "65534:65534"
SCRATCH = "/tmp"  # noqa: S108 - inside the container, private


class DockerProcess(PipedProcess):
    """A container and the client that carries its pipes."""

    def __init__(self, docker: str, name: str, command: list[str]) -> None:
        self._docker, self._name, self._id = docker, name, ""
        super().__init__(command)

    def usage(self) -> Usage:
        """The kernel's books of the container's group."""
        if not self._id:
            self._id = self._run("inspect", "-f", "{{.Id}}", self._name).strip()
        if not self._id:
            return Usage()  # the container is not there yet, or no longer
        groups = [MOUNT / c / "docker" / self._id for c in ("memory", "pids", "cpuacct")]
        if all(group.is_dir() for group in groups):
            return usage_v1(*groups)
        unified = MOUNT / "system.slice" / f"docker-{self._id}.scope"
        return usage_v2(unified) if unified.is_dir() else self._ended()

    def _ended(self) -> Usage:
        """A container that has ended has no group any more; the engine remembers how it ended."""
        return Usage(hit_memory_limit=self._run("inspect", "-f", "{{.State.OOMKilled}}", self._name).strip() == "true")

    def close(self) -> None:
        """Remove the container, running or not, and wait for its client."""
        self._run("rm", "-f", self._name)
        super().close()

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([self._docker, *arguments], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
        return done.stdout


class DockerSandbox:
    """Opens runs in containers of the runner image."""

    name = "docker"

    def __init__(self, image: str = "") -> None:
        docker = shutil.which("docker")
        if docker is None:
            raise SandboxUnavailable("Docker is not installed on this machine.")
        self._docker, self._image = docker, image or os.environ.get("GRADLAB_RUNNER_IMAGE", IMAGE)
        inspect = [docker, "image", "inspect", "-f", "{{json .Config.Labels}}", self._image]
        found = subprocess.run(inspect, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
        if found.returncode:
            raise SandboxUnavailable(
                f"The image {self._image} is not there, or the Docker engine does not answer. "
                "Build it with `make runner-image`."
            )
        self._packages = set(str((json.loads(found.stdout) or {}).get("gradlab.packages", "")).split())

    def open(self, limits: Limits, packages: tuple[str, ...]) -> DockerProcess:
        """Start a container; raises `SandboxUnavailable` when the image lacks a package that the lab needs."""
        missing = sorted(set(packages) - self._packages)
        if missing:
            raise SandboxUnavailable(f"the image {self._image} lacks {', '.join(missing)}, which the lab needs")
        name = f"gradlab-run-{secrets.token_hex(6)}"
        walls = json.dumps(
            {
                "uid": None,
                "rlimits": {"CORE": 0, "FSIZE": limits.disk_mb << 20, "CPU": int(limits.cpu_s) + 5},
                "seccomp": seccomp.encoded(),
            }
        )
        boot = boot_arguments("python3", "main", ["/gradlab", "/gradlab/packages"], walls)
        return DockerProcess(self._docker, name, [self._docker, "run", "-i", *_flags(name, limits), self._image, *boot])


def _flags(name: str, limits: Limits) -> list[str]:
    """Every wall that `docker run` knows."""
    memory = f"{limits.memory_mb}m"
    scratch = f"rw,nosuid,nodev,noexec,size={limits.disk_mb}m,nr_inodes=4k,mode=1777"
    flags = [
        *("--name", name, "--label", LABEL, "--init", "--pull", "never", "--log-driver", "none"),
        *(
            "--network",
            "none",
            "--read-only",
            "--user",
            UID,
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ),
        *("--ipc", "private", "--hostname", "sandbox", "--pids-limit", str(limits.processes)),
        *("--memory", memory, "--memory-swap", memory),
        *("--ulimit", "core=0", "--ulimit", "nofile=256", "--workdir", SCRATCH),
        *("--tmpfs", f"{SCRATCH}:{scratch}", "--tmpfs", f"/dev/shm:{scratch}"),  # noqa: S108 - inside the container, private
    ]
    for key, value in ENVIRONMENT.items():
        flags += ["--env", f"{key}={value}"]
    return flags


def remove_leftovers(docker: str = "docker") -> int:
    """Remove containers of runs that a killed worker left behind; returns how many there were."""
    listed = subprocess.run(  # noqa: S603
        [docker, "ps", "-aq", "--filter", f"label={LABEL}"], capture_output=True, text=True, timeout=60, check=False
    )
    found = listed.stdout.split()
    if found:
        subprocess.run([docker, "rm", "-f", *found], capture_output=True, timeout=120, check=False)  # noqa: S603
    return len(found)
