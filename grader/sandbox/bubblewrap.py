"""The local sandbox: bubblewrap's namespaces, a read-only tree, no network, and the kernel's limits on everything inside.

As root a run gets a uid of its own on the host; as an ordinary user it lives in a user namespace. Where the host gives no control
groups, limits are approximate (rlimits and a poller), and that is refused unless the operator allows it by name.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil

from .base import ENVIRONMENT, INSIDE, Limits, SandboxUnavailable, Usage, boot_arguments
from .cgroups import Cgroup, cgroups_available, make_cgroup, remove_leftovers

PACKAGES = "/gradlab/packages"
# Joins every group, then becomes the sandbox; the count of groups comes first.
JOIN = 'set -e; n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1"; shift; n=$((n-1)); done; exec "$@"'
FIRST_UID, UIDS = 200_000, 700_000


class BubblewrapProcess:
    """A process behind bubblewrap, and the group that holds all it starts."""

    def __init__(self, command: list[str], cgroup: Cgroup | None, limits: Limits) -> None:
        self._cgroup, self._limits = cgroup, limits
        procs = [str(path) for path in cgroup.procs_files] if cgroup else []
        launch = ["/bin/sh", "-c", JOIN, "sh", str(len(procs)), *procs, *command]
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            launch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, bufsize=0
        )
        self._last = Usage()

    def usage(self) -> Usage:
        """The kernel's books; without control groups, a sum over the processes seen now."""
        self._last = self._cgroup.usage() if self._cgroup else self._polled()
        return self._last

    def close(self) -> None:
        """Kill the namespace's init, and with it everything inside; then remove the group."""
        self.process.kill()
        if self._cgroup:
            self._cgroup.close()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _polled(self) -> Usage:
        cpu, memory = 0.0, 0.0
        for child in _descendants(self.process.pid):
            try:
                times = child.cpu_times()
                cpu += times.user + times.system
                memory += child.memory_info().rss / 2**20
            except psutil.Error:  # it ended between the list and the look
                continue
        return Usage(
            cpu_s=max(self._last.cpu_s, cpu),
            memory_peak_mb=max(self._last.memory_peak_mb, memory),
            hit_memory_limit=self._last.hit_memory_limit or memory > self._limits.memory_mb,
        )


class BubblewrapSandbox:
    """Opens runs behind bubblewrap."""

    def __init__(self, *, allow_approximate_limits: bool = False) -> None:
        self._bwrap = shutil.which("bwrap")
        self._exact = cgroups_available()
        if self._bwrap is None:
            raise SandboxUnavailable("bubblewrap is not installed on this machine. Install the package bubblewrap.")
        if not self._exact and not allow_approximate_limits:
            raise SandboxUnavailable(
                "This host lets the grader make no control groups, so memory and process limits would be approximate. "
                "Run the worker where it may make control groups, or allow approximate limits by name "
                "(--allow-approximate-limits, or GRADLAB_ALLOW_APPROXIMATE_LIMITS=1)."
            )

        remove_leftovers()

    @property
    def name(self) -> str:
        """The kind, and whether the limits are the kernel's."""
        return "bubblewrap" if self._exact else "bubblewrap (limits are approximate on this host)"

    def open(self, limits: Limits, packages: tuple[str, ...]) -> BubblewrapProcess:
        """Start the process inside."""
        as_root = os.geteuid() == 0
        uid = FIRST_UID + secrets.randbelow(UIDS) if as_root else None
        walls = json.dumps({"uid": uid, "rlimits": self._rlimits(limits)})
        python = os.path.realpath(sys.executable)
        command = [
            str(self._bwrap),
            *(_root_namespaces() if as_root else _user_namespaces()),
            *_tree(limits, packages),
            *_environment(),
            "--",
            *boot_arguments(python, ["/gradlab", PACKAGES], walls),
        ]
        return BubblewrapProcess(command, make_cgroup(limits), limits)

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


def _root_namespaces() -> list[str]:
    """As root the run drops to its own uid inside, which needs two capabilities until then and none after."""
    flags = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    return [*flags, *_common(), "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]


def _user_namespaces() -> list[str]:
    return ["--unshare-all", "--unshare-user", "--disable-userns", *_common(), "--cap-drop", "ALL"]


def _common() -> list[str]:
    return ["--die-with-parent", "--new-session", "--hostname", "sandbox"]


def _tree(limits: Limits, packages: tuple[str, ...]) -> list[str]:
    """A read-only root with the system's libraries, Python, the listed packages and ours; writable: /tmp and /dev/shm, both small."""
    size = str(limits.disk_mb << 20)
    tree = ["--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64", "sbin"):
        tree += _system_folder(Path("/", name))
    prefix = Path(os.path.realpath(sys.base_prefix))
    if not prefix.is_relative_to("/usr"):
        tree += [*_readable_folders(prefix), "--ro-bind", str(prefix), str(prefix)]
    tree += [*_readable_folders(Path(PACKAGES, "inside")), "--ro-bind", str(INSIDE), "/gradlab/inside"]
    for package in packages:
        for folder in _package_folders(package):
            tree += ["--ro-bind", str(folder), f"{PACKAGES}/{folder.name}"]
    for writable in ("/tmp", "/dev/shm"):  # noqa: S108 - inside the sandbox, private
        tree += ["--perms", "1777", "--size", size, "--tmpfs", writable]
    return [*tree, "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108


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


def _package_folders(package: str) -> list[Path]:
    """A package's folder and, beside it, the shared libraries that its wheel brought."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxUnavailable(f"the lab needs the package {package}, which is not installed beside the grader")
    folder = Path(next(iter(spec.submodule_search_locations)))
    libraries = folder.with_name(f"{folder.name}.libs")
    return [folder, libraries] if libraries.is_dir() else [folder]


def _environment() -> list[str]:
    flags = ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        flags += ["--setenv", name, value]
    return flags


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
