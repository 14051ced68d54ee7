"""The walls that a process builds around itself before it reads a byte of the student's: uid, limits, rights, system calls, streams."""

from __future__ import annotations

import base64
import os
import resource
from typing import Any

from . import kernel, timing


def enter(walls: dict[str, Any]) -> None:
    """Set limits, drop to the run's own uid when there is one, then give up every right to undo it.

    `walls`: `uid` (int or None), `rlimits` ({name of a RLIMIT_ constant: value}), `seccomp` (a filter in base64; empty for none),
    `gpu` (whether a context on the GPU is made before anything is waited for).
    """
    for name, value in walls["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    uid = walls["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o077)
    if walls["seccomp"]:
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        kernel.filter_system_calls(base64.b64decode(walls["seccomp"]))
    if walls["gpu"]:
        timing.warm()


def take_channel() -> tuple[int, int]:
    """Move the judge's pipes off the standard streams: the student reads /dev/null and writes to the captured stream.

    Returns the request and response descriptors; children of the student do not inherit them.
    """
    request, response = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return request, response
