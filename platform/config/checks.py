"""System checks: a configuration that would lose work, leak a secret or lie about time stops the start with a sentence."""

from __future__ import annotations

import os
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import CheckMessage, Error, Tags, register

from grader.contract import SandboxKind

KEY_MIN_CHARS = 32
_NO_RECEIPT_KEY = Error(
    "GRADLAB_RECEIPT_KEY is not set, so receipts would prove nothing once another key is changed.",
    hint="Set it, or GRADLAB_RECEIPT_KEY_FILE, to 50 random characters, and keep a copy apart from the server. "
    "A demo sets GRADLAB_DEMO=1.",
    id="gradlab.E006",
)


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


@register(Tags.security)
def keys_are_long(**_: Any) -> list[CheckMessage]:
    """Refuse keys that can be guessed, and a missing one for receipts, where people are."""
    if settings.DEBUG or settings.DEMO:
        return []
    old = [("GRADLAB_RECEIPT_OLD_KEYS", key) for key in settings.RECEIPT_OLD_KEYS]
    keys = [("GRADLAB_SECRET_KEY", settings.SECRET_KEY), ("GRADLAB_RECEIPT_KEY", settings.RECEIPT_KEY), *old]
    found: list[CheckMessage] = [
        Error(
            f"{name} holds a key of {len(key)} characters, which can be guessed; then sessions or receipts could be forged.",
            hint=f"Set it, or {name}_FILE, to 50 random characters.",
            id="gradlab.E005",
        )
        for name, key in keys
        if key and len(key) < KEY_MIN_CHARS
    ]
    return found + ([] if settings.RECEIPT_KEY else [_NO_RECEIPT_KEY])


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


@register(Tags.security)
def nothing_that_is_kept_is_served(**_: Any) -> list[CheckMessage]:
    """Refuse a folder of submissions, hidden checks or rows that the web would hand out to anybody."""
    kept = {
        "submitted files": settings.FILES_DIR,
        "fetched files": settings.FILES_CACHE_DIR,
        "published labs, with their hidden checks,": settings.LABS_DIR,
        "the embedded database": Path(settings.DATA_DIR) / "db.sqlite3",
    }
    return [
        Error(
            f"The {what} would lie in {where}, below {served}, which the site serves: anybody could read them.",
            hint="Set GRADLAB_DATA_DIR to a directory outside of the source tree that nothing serves.",
            id="gradlab.E007",
        )
        for what, where in kept.items()
        for served in _served_folders()
        if Path(where).resolve().is_relative_to(served)
    ]


@register(Tags.security)
def sandbox_has_walls(**_: Any) -> list[CheckMessage]:
    """Refuse a sandbox that does not exist, and one without walls where students' code runs."""
    names = [kind.value for kind in SandboxKind]
    if settings.SANDBOX not in names:
        return [
            Error(
                f"GRADLAB_SANDBOX is {settings.SANDBOX!r}, and there is no such sandbox, so nothing could be graded.",
                hint=f"Set it to one of {', '.join(names)}.",
                id="gradlab.E008",
            )
        ]
    if settings.SANDBOX != SandboxKind.TRUSTED or settings.DEBUG or settings.DEMO:
        return []
    return [
        Error(
            "GRADLAB_SANDBOX is trusted, which has no walls: what students hand in could read every secret here and change every grade.",
            hint="Set it to bubblewrap or docker.",
            id="gradlab.E009",
        )
    ]


@register()
def s3_can_be_spoken(**_: Any) -> list[CheckMessage]:
    """Refuse a bucket without the packages that reach it."""
    if not settings.S3_BUCKET or (find_spec("storages") and find_spec("boto3")):
        return []
    return [
        Error(
            "GRADLAB_S3_BUCKET is set and django-storages is not installed, so no submission could be stored.",
            hint='Install what pyproject.toml names in its group s3: pip install "django-storages[s3]".',
            id="gradlab.E010",
        )
    ]


def _served_folders() -> list[Path]:
    """What the web hands out to anybody: collected static files, and in some settings their sources and uploaded media."""
    sources = [storage.location for finder in get_finders() for storage in getattr(finder, "storages", {}).values()]
    named = [settings.STATIC_ROOT, settings.MEDIA_ROOT, *sources]
    return [Path(folder).resolve() for folder in named if folder]
