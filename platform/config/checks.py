"""System checks: a configuration that would lose work, leak a secret or lie about time stops the start with a sentence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import DatabaseError


@register(Tags.security)
def secret_key_is_ours(**_: Any) -> list[CheckMessage]:
    """Refuse the published key where people's sessions hang on it."""
    if settings.DEBUG or settings.DEMO or settings.SECRET_KEY != settings.DEFAULT_SECRET_KEY:
        return []
    return [
        Error(
            "GRADLAB_SECRET_KEY is not set, so anyone could forge a session.",
            hint="Set it, or GRADLAB_SECRET_KEY_FILE, to 50 random characters. A demo sets GRADLAB_DEMO=1.",
            id="gradlab.E001",
        )
    ]


@register()
def clock_is_true(**_: Any) -> list[CheckMessage]:
    """Refuse a shifted clock where deadlines are real."""
    if timedelta(0) == settings.CLOCK_OFFSET or settings.DEBUG or settings.DEMO:
        return []
    return [
        Error(
            "The platform's clock is shifted, so deadlines would be wrong.",
            hint="Unset GRADLAB_CLOCK and GRADLAB_CLOCK_OFFSET_S, or set GRADLAB_DEMO=1 on a demo.",
            id="gradlab.E002",
        )
    ]


@register()
def data_directory_is_writable(**_: Any) -> list[CheckMessage]:
    """Refuse to start where a submission could not be stored."""
    data = Path(settings.DATA_DIR)
    nearest = next(folder for folder in (data, *data.parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The data directory {data} cannot be written, so submissions could not be stored.",
            hint="Set GRADLAB_DATA_DIR to a directory that this user may write.",
            id="gradlab.E003",
        )
    ]


@register()
def source_root_is_no_package(**_: Any) -> list[CheckMessage]:
    """Refuse an `__init__.py` that would hide the standard library's `platform`."""
    marker = Path(settings.BASE_DIR) / "platform" / "__init__.py"
    if not marker.exists():
        return []
    return [
        Error(
            "platform/__init__.py would hide the standard library's module `platform`.",
            hint="Remove the file; the source root is not a package.",
            id="gradlab.E004",
        )
    ]


@register(Tags.database)
def visibility_timeout_is_long_enough(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Compare the broker's patience with the longest lab: a message must not come twice while its job still runs."""
    from assignments.selectors import longest_wall_s  # noqa: PLC0415 - models are not loaded when checks are registered

    if not databases or "default" not in databases:
        return []
    try:
        longest = longest_wall_s()
    except DatabaseError:
        return []  # no tables yet
    if longest <= settings.GRADING_MAX_JOB_S:
        return []
    return [
        Warning(
            f"A published lab may run {longest:.0f} s, but jobs are stopped after {settings.GRADING_MAX_JOB_S} s.",
            hint=f"Set GRADLAB_GRADING_MAX_JOB_S to at least {longest:.0f}; the visibility timeout follows it.",
            id="gradlab.W001",
        )
    ]
