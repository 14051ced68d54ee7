"""Faults of the machine around us that pass: a database that is away, a disk that is full."""

from __future__ import annotations

import errno

from django.db import InterfaceError, OperationalError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_passing(error: BaseException | None) -> bool:
    """Whether trying again later may help without anybody changing the program."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return isinstance(error, OperationalError | InterfaceError)
