"""The warm fork server inside the walls: Python with the lab's packages already imported, one fork for each run.

It holds nothing secret (whatever is in this process, a run can read), runs no student code, and stays single-threaded: a process that
forks with threads may inherit a lock that nobody will ever release.

A request is one datagram on the socket, {"walls": …, "mounts": [[target, options], …]}, with descriptors: the run's standard input,
output and error, a gate, and the entrances of its control group. The answer is {"ok": true} with a pidfd of the run's init, or
{"error": text}. The init builds its namespaces, joins its group, says so at the gate (or what could not be done), and waits there for
one byte; then it forks the run, waits, and writes the run's exit status to the gate. A gate that closes ends the run.

  zygote ─▶ init: pid 1 of new namespaces, its own /proc, /tmp, /dev/shm ─▶ run: own uid, no rights, the student's code
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import socket
import struct
import sys
import tempfile
from typing import Any

from . import init, kernel
from .main import serve
from .walls import enter, take_channel

NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS
MAX_REQUEST, MAX_DESCRIPTORS = 1 << 16, 8
STATUS = struct.Struct("=i")
BUILT = b"built"
# Parts that a package imports when they are first used, which would else be in every run: numpy.random alone takes 10 ms, and what torch
# needs for the first dispatch mode, as of a count of operations or of the meter, 1.5 s.
LAZY = {"numpy": ("numpy.random", "numpy.linalg", "numpy.fft"), "torch": ("torch.utils.flop_counter", "torch._dynamo")}


def main() -> None:
    """argv: the socket's descriptor, then the packages to import. Serves until the judge closes the socket."""
    judge = socket.socket(fileno=int(sys.argv[1]))
    # A run's own. Here it is not writable yet, which packages that try places or make folders would trip over.
    tempfile.tempdir = os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/tmp"  # noqa: S108
    for package in sys.argv[2:]:
        for module in (package, *LAZY.get(package, ())):
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is there now stays shared between all runs
    judge.send(b"ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(judge, MAX_REQUEST, MAX_DESCRIPTORS)
        if not request:
            os._exit(0)
        if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 - no more imports than needed
            os._exit(1)  # the judge starts another one
        _reap()
        _answer(judge, json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(judge: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    """Give birth to an init in namespaces of its own, and hand the judge its pidfd."""
    try:
        pid = kernel.fork_into(NAMESPACES)
    except OSError as error:
        judge.send(json.dumps({"error": str(error)}).encode())
        return
    if pid == 0:
        judge.close()
        _init(request, *descriptors)
    handle = os.pidfd_open(pid)
    socket.send_fds(judge, [b'{"ok": true}'], [handle])
    os.close(handle)


def _reap() -> None:
    """Collect the inits that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _init(request: dict[str, Any], stdin: int, stdout: int, stderr: int, gate: int, *entrances: int) -> None:
    """Pid 1 of a run: builds its namespaces, lets it start, and ends with it, which ends everything in the namespace."""
    try:
        _build(request["mounts"])
        for entrance in entrances:
            os.write(entrance, b"0")
            os.close(entrance)
    except BaseException as error:  # noqa: BLE001 - said to the judge, who is all there is to tell
        os.write(gate, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os.write(gate, BUILT)
    if not os.read(gate, 1):
        os._exit(0)

    def run() -> None:
        _run(request["walls"], stdin, stdout, stderr)

    status = init.start(run, gate, not_mine=(stdin, stdout, stderr))
    if status is not None:
        os.write(gate, STATUS.pack(status))
    os._exit(0)


def _build(mounts: list[list[str]]) -> None:
    kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    for target, options in mounts:
        kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    kernel.raise_loopback()


def _run(walls: dict[str, Any], stdin: int, stdout: int, stderr: int) -> None:
    """The process that the student's code runs in; does not return."""
    try:
        os.setsid()
        for target, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, target)
        os.closerange(3, 1 << 10)
        os.chdir("/tmp")  # noqa: S108 - this run's own
        request, response = take_channel()
        enter(walls)
        _own_randomness()
        gc.enable()
        serve(request, response)
    finally:
        os._exit(0)


def _own_randomness() -> None:
    """Forks share the state of their random generators until they are seeded anew."""
    random.seed()
    generators = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
