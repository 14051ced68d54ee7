"""The local sandbox: bubblewrap's read-only tree around a warm fork server, and namespaces, limits and a uid of its own for each run.

As root a run gets a uid of its own on the host; as an ordinary user it lives in a user namespace. Where the host gives no control
groups, limits are approximate (rlimits and a poller), and that is refused unless the operator allows it by name.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from . import seccomp
from .base import INSIDE, Limits, SandboxUnavailable, boot_arguments, environment
from .cgroups import cgroups_available, remove_leftovers
from .packages import package_paths
from .warm import WarmRuns
from .zygote import Run, Zygote, ZygotePool

PACKAGES = "/gradlab/packages"
FIRST_UID, UIDS = 200_000, 700_000
INODES = 4096
LIBRARY_CACHE = Path("/etc/ld.so.cache")  # where the linker finds the libraries of /usr; names alone
WRITABLE = ("/tmp", "/dev/shm")  # noqa: S108 - inside the sandbox, private to a run
# What the fork server needs to give each run namespaces, mounts and a uid of its own; a run has none of it.
SERVER_RIGHTS = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_NET_ADMIN")

_pool = ZygotePool()
_warm: WarmRuns[Run] = WarmRuns()


class BubblewrapSandbox:
    """Opens runs behind bubblewrap. A cold one starts its own server, with nothing imported, for each run."""

    def __init__(self, *, allow_approximate_limits: bool = False, warm: bool = True) -> None:
        self._bwrap = shutil.which("bwrap")
        self._exact = cgroups_available()
        self._warm = warm
        if self._bwrap is None:
            raise SandboxUnavailable("bubblewrap is not installed on this machine. Install the package bubblewrap.")
        if not self._exact and not allow_approximate_limits:
            raise SandboxUnavailable(
                "This host lets the grader make no control groups, so memory and process limits would be approximate. "
                "Run the worker where it may make control groups, or allow approximate limits by name "
                "(--allow-approximate-limits, or GRADLAB_ALLOW_APPROXIMATE_LIMITS=1)."
            )

    @property
    def name(self) -> str:
        """The kind, and whether the limits are the kernel's."""
        return "bubblewrap" if self._exact else "bubblewrap (limits are approximate on this host)"

    def remove_leftovers(self) -> int:
        """Remove the groups of killed workers."""
        return remove_leftovers()

    def open(self, limits: Limits, packages: tuple[str, ...], *, gpu: bool = False) -> Run:
        """A run in its own namespaces and group. One with a GPU waits ahead, since its context takes seconds to make."""
        if gpu and self._warm:
            return _warm.take((limits, packages), limits.memory_mb, partial(self._start, limits, packages, gpu=True))
        return self._start(limits, packages, gpu=gpu)

    def _start(self, limits: Limits, packages: tuple[str, ...], *, gpu: bool) -> Run:
        """Fork a run with a private /tmp and /dev/shm."""
        uid = FIRST_UID + secrets.randbelow(UIDS) if os.geteuid() == 0 else None
        walls = {"uid": uid, "rlimits": self._rlimits(limits), "seccomp": seccomp.encoded(), "gpu": gpu}
        room = f"size={limits.disk_mb}m,nr_inodes={INODES},mode=1777"
        mounts = [(target, room) for target in WRITABLE]
        command = partial(self._command, packages, packages if self._warm else (), gpu)
        if self._warm:
            return _pool.fork((*packages, "gpu") if gpu else packages, command, walls, mounts, limits)
        return _cold(Zygote(command), walls, mounts, limits)

    def _command(
        self,
        packages: tuple[str, ...],
        imported: tuple[str, ...],
        gpu: bool,  # noqa: FBT001 - bound once, below
        descriptor: int,
    ) -> list[str]:
        """bubblewrap's command line around the fork server."""
        return [
            str(self._bwrap),
            *_namespaces(),
            *_tree(packages, _cards() if gpu else []),
            *_environment(gpu=gpu),
            "--",
            *boot_arguments(
                os.path.realpath(sys.executable), "zygote", ["/gradlab", PACKAGES], str(descriptor), *imported
            ),
        ]

    def _rlimits(self, limits: Limits) -> dict[str, int]:
        """Per process, beside the group's: no core files, no huge files, few descriptors, and what stands in for a group."""
        rlimits = {
            "CORE": 0,
            "FSIZE": limits.disk_mb << 20,
            "NOFILE": 256,
            "CPU": int(limits.cpu_s) + 5,
            "STACK": 64 << 20,
        }
        if not self._exact:
            rlimits["NPROC"] = limits.processes
            rlimits["AS"] = (limits.memory_mb + 512) << 20  # address space runs ahead of memory
        return rlimits


def _cold(server: Zygote, walls: dict[str, Any], mounts: list[tuple[str, str]], limits: Limits) -> Run:
    try:
        run = server.fork(walls, mounts, limits)
    except SandboxUnavailable:
        server.close()
        raise
    run.server = server
    return run


def close_warm_servers() -> None:
    """End the runs that wait in this process, and its warm servers."""
    _warm.close()
    _pool.close()


def _namespaces() -> list[str]:
    """As root all but the user namespace, so that each run can have a uid of its own on the host; else that one too."""
    kinds = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    flags = kinds if os.geteuid() == 0 else ["--unshare-all", "--unshare-user"]
    rights = [part for right in SERVER_RIGHTS for part in ("--cap-add", right)]
    return [*flags, "--new-session", "--hostname", "sandbox", "--cap-drop", "ALL", *rights]


def _cards() -> list[str]:
    """The devices of NVIDIA's driver; raises `SandboxUnavailable` where there are none."""
    found = [str(path) for path in Path("/dev").glob("nvidia*") if path.is_char_device()]
    if not found:
        raise SandboxUnavailable("the lab needs a GPU, and this machine shows none (/dev/nvidia0)")
    return [part for device in found for part in ("--dev-bind", device, device)]


def _tree(packages: tuple[str, ...], devices: list[str]) -> list[str]:
    """A read-only root with the system's libraries, Python, the listed packages and ours; /tmp and /dev/shm are places to mount on."""
    tree = ["--proc", "/proc", "--dev", "/dev", *devices, "--ro-bind", "/usr", "/usr"]
    if LIBRARY_CACHE.is_file():
        tree += [*_readable_folders(LIBRARY_CACHE), "--ro-bind", str(LIBRARY_CACHE), str(LIBRARY_CACHE)]
    for name in ("bin", "lib", "lib64", "sbin"):
        tree += _system_folder(Path("/", name))
    prefix = Path(os.path.realpath(sys.base_prefix))
    if not prefix.is_relative_to("/usr"):
        tree += [*_readable_folders(prefix), "--ro-bind", str(prefix), str(prefix)]
    tree += _hidden_packages(prefix)
    tree += [*_readable_folders(Path(PACKAGES, "inside")), "--ro-bind", str(INSIDE), "/gradlab/inside"]
    for path in package_paths(packages):
        tree += ["--ro-bind", str(path), f"{PACKAGES}/{path.name}"]
    return [*tree, "--dir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]  # noqa: S108


def _hidden_packages(prefix: Path) -> list[str]:
    """Nothing where the interpreter and Debian keep packages: what a lab does not list is not to be found by looking elsewhere."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [prefix / "lib" / version / "site-packages", Path("/usr/lib/python3/dist-packages")]
    places += [Path("/usr/local/lib", version, kind) for kind in ("site-packages", "dist-packages")]
    found = dict.fromkeys(place for place in places if place.is_dir())
    return [part for place in found for part in ("--tmpfs", str(place), "--remount-ro", str(place))]


def _readable_folders(path: Path) -> list[str]:
    """The folders above a mount point, which bubblewrap would make for root alone."""
    flags: list[str] = []
    for folder in list(reversed(path.parents))[1:]:
        flags += ["--perms", "0755", "--dir", str(folder)]
    return flags


def _system_folder(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []


def _environment(*, gpu: bool) -> list[str]:
    flags = ["--clearenv"]
    libraries = {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")} if gpu else {}
    for name, value in (environment(gpu=gpu) | libraries).items():
        flags += ["--setenv", name, value]
    return flags
