"""The walls that a process builds around itself before it reads a byte of the student's: uid, limits, environment, streams."""

from __future__ import annotations

import os
import resource
from typing import Any


def enter(walls: dict[str, Any]) -> None:
    """Drop to the run's own uid when there is one, then set limits that cannot be raised again.

    `walls`: `uid` (int or None), `rlimits` ({name of a RLIMIT_ constant: value}).
    """
    for name, value in walls["rlimits"].items():
        limit = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(limit, (value, value))
    uid = walls["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o077)


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
