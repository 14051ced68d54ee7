"""The container sandbox: one fresh container for each run, of an image that we build and pin, with nothing of the host in it.

Warm containers wait with the lab's packages imported; each is used once and replaced in the background. A container carries a label
that says which process it belongs to, so that what a killed worker left is found and removed.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import docker
import psutil
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Ulimit

from ..inside import init, wire
from ..inside.version import version
from . import seccomp
from .base import Limits, SandboxUnavailable, Usage, boot_arguments, environment
from .cgroups import INIT_PROCESSES, MOUNT, usage_v1, usage_v2
from .warm import WarmRuns

LABEL, OWNER = "gradlab.run", "gradlab.owner"
IMAGE = "gradlab-runner:cpu"
SOCKET = "/var/run/docker.sock"
USER = "65534:65534"
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - inside the container, private
STREAM = struct.Struct(">BxxxI")  # the engine's frames: which stream, how many bytes
STDERR = 2
CONFLICT = 409
OLDEST_S = 3600.0  # no run lives as long as this
LOOK_S = 0.25  # how often the engine is asked for its books where the kernel's cannot be read

Kind = tuple[str, Limits, tuple[str, ...], bool]


class Container:
    """A started container, attached: a `Walled`. Standard input goes straight to it; a thread tells its two outputs apart.

    Its pid 1 is `grader.inside.init` and not the engine's, whose memory and environment a run of the same uid could read.
    """

    def __init__(self, client: docker.DockerClient, kind: Kind) -> None:
        image, limits, packages, gpu = kind
        self._api, self._limits = client.api, limits
        try:
            created = client.containers.create(image, _boot(limits, packages, gpu=gpu), **_options(limits, gpu=gpu))
        except (DockerException, OSError) as error:
            raise SandboxUnavailable(f"the Docker engine could not make a container: {error}") from error
        self.id: str = created.id
        self._closed = False
        try:
            # the response owns the connection, so it is kept as long as the container
            self._attached = self._api.attach_socket(self.id, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._wire: socket.socket = getattr(self._attached, "_sock", self._attached)
            # the judge's end shares its blocking mode with this one; with a time limit Python waits in either
            self._wire.settimeout(OLDEST_S)
            created.start()
        except (DockerException, OSError) as error:
            self._remove()
            raise SandboxUnavailable(f"the Docker engine could not start a container: {error}") from error
        self.stdin = os.dup(self._wire.fileno())
        self.stdout, self._out = os.pipe()
        self.stderr, self._error = os.pipe()
        self._groups = [MOUNT / c / "docker" / self.id for c in ("memory", "pids", "cpuacct")]
        self._unified = MOUNT / "system.slice" / f"docker-{self.id}.scope"
        self._asked_at, self._books = 0.0, Usage()
        self._pump = threading.Thread(target=self._sort, name=f"container-{self.id[:12]}", daemon=True)
        self._pump.start()

    def is_alive(self) -> bool:
        """Whether the container runs; one that waited may have died with its engine."""
        with suppress(DockerException):
            return bool(self._api.inspect_container(self.id)["State"]["Running"])
        return False

    def wait(self, timeout_s: float) -> int | None:
        """The exit status as pid 1 gave it: 128 + n where signal n ended the run; None as well when pid 1 itself was killed."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            with suppress(DockerException):
                state = self._api.inspect_container(self.id)["State"]
                if not state["Running"]:
                    code = int(state["ExitCode"])
                    return {init.KILLED: None, init.RUN_KILLED: init.KILLED}.get(code, code)
            time.sleep(0.02)
        return None

    def usage(self) -> Usage:
        """The kernel's books of the container's group, or the engine's where those cannot be seen from here."""
        if all(group.is_dir() for group in self._groups):
            return usage_v1(*self._groups)
        if self._unified.is_dir():
            return usage_v2(self._unified)
        if time.monotonic() - self._asked_at > LOOK_S:
            self._books, self._asked_at = self._ask(), time.monotonic()
        return self._books

    def close(self) -> None:
        """Close the container's streams and remove it, running or not.

        In this order: an engine that still has output for a reader who does not read waits for that reader before it removes anything.
        """
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        os.close(self.stdin)
        # a pump that waits for a reader is freed by the reader's going
        os.close(self.stdout)
        os.close(self.stderr)
        self._remove()
        self._pump.join(timeout=5)
        self._attached._response.close()  # noqa: SLF001 - the SDK hangs the response on its socket and closes neither
        self._attached.close()
        self._wire.close()

    def _remove(self) -> None:
        try:
            self._api.remove_container(self.id, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != CONFLICT:  # the engine is removing it already
                raise

    def _ask(self) -> Usage:
        state: dict[str, Any] = {}
        stats: dict[str, Any] = {}
        with suppress(DockerException, KeyError):
            state = self._api.inspect_container(self.id)["State"]
            stats = self._api.stats(self.id, stream=False, one_shot=True) if state["Running"] else {}
        used = int(stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage", 0)) / 1e9
        return Usage(
            cpu_s=max(used, self._books.cpu_s),
            memory_peak_mb=max(int(stats.get("memory_stats", {}).get("usage", 0)) / 2**20, self._books.memory_peak_mb),
            hit_memory_limit=bool(state.get("OOMKilled")) or self._books.hit_memory_limit,
            refused_processes=self._books.refused_processes
            + (int(stats.get("pids_stats", {}).get("current", 0)) > self._limits.processes),
        )

    def _sort(self) -> None:
        """Copy the engine's frames to the pipe that each belongs to, until either end goes."""
        try:
            while head := _exactly(self._wire, STREAM.size):
                stream, size = STREAM.unpack(head)
                while size:
                    data = self._wire.recv(min(size, 1 << 16))
                    if not data:
                        return
                    size -= len(data)
                    _write(self._error if stream == STDERR else self._out, data)
        except OSError:
            return
        finally:
            os.close(self._out)
            os.close(self._error)


_warm: WarmRuns[Container] = WarmRuns()


class DockerSandbox:
    """Opens runs in containers of the runner image. A cold one starts each when it is asked for."""

    name = "docker"

    def __init__(self, image: str = "", *, warm: bool = True) -> None:
        self._image, self._warm = image or os.environ.get("GRADLAB_RUNNER_IMAGE", IMAGE), warm
        self._client = _client(os.getpid())
        try:
            image_found = self._client.images.get(self._image)
        except ImageNotFound as error:
            raise SandboxUnavailable(
                f"The image {self._image} is not there. Build it with `make runner-image`."
            ) from error
        except (DockerException, OSError) as error:
            raise SandboxUnavailable(f"The Docker engine does not answer: {error}") from error
        self._packages = set(image_found.labels.get("gradlab.packages", "").split())
        if _version_in(self._image, str(image_found.id), os.getpid()) != version():
            raise SandboxUnavailable(
                f"The image {self._image} was built from another version of the grader. Build it with `make runner-image`."
            )

    def open(self, limits: Limits, packages: tuple[str, ...], *, gpu: bool = False) -> Container:
        """A container of its own; raises `SandboxUnavailable` when the image lacks a package that the lab needs."""
        missing = sorted(set(packages) - self._packages)
        if missing:
            raise SandboxUnavailable(f"the image {self._image} lacks {', '.join(missing)}, which the lab needs")
        kind = (self._image, limits, packages, gpu)
        make = partial(Container, self._client, kind)
        return _warm.take(kind, limits.memory_mb, make) if self._warm else make()

    def remove_leftovers(self) -> int:
        """Remove the containers of processes of this host that are no more, and any that is too old; returns how many."""
        mine = [c for c in self._client.containers.list(all=True, filters={"label": LABEL}) if _is_left(c)]
        for container in mine:
            with suppress(APIError):  # another worker of this host is at it, too
                container.remove(force=True, v=True)
        return len(mine)


@cache
def _version_in(image: str, _: str, process: int) -> str:
    """The version of grader/inside in an image, asked of a container of it, once for each build of the image."""
    container = Container(_client(process), (image, Limits(), (), False))
    try:
        _write(container.stdin, wire.pack({"op": "version"}))
        with os.fdopen(os.dup(container.stdout), "rb") as answers:
            head, body = wire.prefix_lengths(answers.read(wire.PREFIX.size))
            return str(wire.unpack(answers.read(head), answers.read(body)).get("value"))
    except (struct.error, wire.WireError, OSError):
        return ""  # it ended, or said what we do not understand
    finally:
        container.close()


def _client(process: int) -> docker.DockerClient:
    """This process's connections to the engine that DOCKER_HOST names now."""
    return _client_of(process, os.environ.get("DOCKER_HOST", ""))


@cache
def _client_of(process: int, engine: str) -> docker.DockerClient:  # noqa: ARG001 - connections are not for forked processes
    return connect(timeout_s=60)


def connect(timeout_s: float) -> docker.DockerClient:
    """The engine that DOCKER_HOST names; raises `SandboxUnavailable` when none answers.

    A socket that is not there is found out before the SDK tries it, which leaves what it opened to the garbage collector.
    """
    path = os.environ.get("DOCKER_HOST", f"unix://{SOCKET}").removeprefix("unix://")
    if path.startswith("/") and not Path(path).exists():
        raise SandboxUnavailable(f"There is no Docker engine on this machine ({path} is not there).")
    try:
        return docker.from_env(timeout=timeout_s)
    except (DockerException, OSError) as error:
        raise SandboxUnavailable(f"The Docker engine does not answer: {error}") from error


def close_warm_containers() -> None:
    """Remove the containers that wait in this process."""
    _warm.close()


def _boot(limits: Limits, packages: tuple[str, ...], *, gpu: bool) -> list[str]:
    rlimits = {"CORE": 0, "FSIZE": limits.disk_mb << 20, "CPU": int(limits.cpu_s) + 5}
    walls = json.dumps({"uid": None, "rlimits": rlimits, "seccomp": seccomp.encoded(), "gpu": gpu})
    # an image's own variables are not the run's
    own = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment(gpu=gpu).items())]
    return own + boot_arguments("/usr/bin/python3", "main", ["/gradlab", "/gradlab/packages"], walls, *packages)


def _options(limits: Limits, *, gpu: bool) -> dict[str, Any]:
    """Every wall that the engine knows; of GPUs the one that GRADLAB_GPU names."""
    card = DeviceRequest(device_ids=[os.environ.get("GRADLAB_GPU", "0")], capabilities=[["gpu"]])
    # compiled kernels are loaded from the scratch folder
    run = "exec" if gpu else "noexec"
    room = f"rw,nosuid,nodev,{run},size={limits.disk_mb}m,nr_inodes=4k,mode=1777"
    return {
        "labels": {LABEL: "1", OWNER: _owner()},
        "network_mode": "none",
        "read_only": True,
        "user": USER,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "ipc_mode": "private",
        "hostname": "sandbox",
        "stdin_open": True,
        "pids_limit": limits.processes + INIT_PROCESSES,
        "mem_limit": f"{limits.memory_mb}m",
        "memswap_limit": f"{limits.memory_mb}m",
        "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=256, hard=256)],
        "tmpfs": dict.fromkeys(SCRATCH, room),
        "working_dir": SCRATCH[0],
        "log_config": LogConfig(type="none"),
        "device_requests": [card] if gpu else [],
    }


def _owner() -> str:
    """This process, by host, number and start, so that a number used again is not taken for it."""
    return f"{socket.gethostname()}|{os.getpid()}|{psutil.Process().create_time():.2f}"


def _is_left(container: Any) -> bool:
    host, _, process = str(container.labels.get(OWNER, "")).partition("|")
    age_s = time.time() - _epoch(container.attrs.get("Created"))
    if host != socket.gethostname():
        return age_s > OLDEST_S
    number, _, started = process.partition("|")
    try:
        return f"{psutil.Process(int(number)).create_time():.2f}" != started
    except (ValueError, psutil.Error):
        return True


def _epoch(created: Any) -> float:
    """When a container was made; the engine's text has more digits than Python reads."""
    return (
        time.time()
        if created is None
        else time.mktime(time.strptime(str(created)[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    )


def _exactly(wire: socket.socket, size: int) -> bytes:
    """That many bytes, or none at the end of the stream."""
    data = b""
    while len(data) < size:
        more = wire.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
