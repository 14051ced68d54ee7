"""Content-addressed files: `aa/bb/<sha256>` below the files directory. A file is durable before its row commits."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Container
from pathlib import Path
from typing import BinaryIO

from django.conf import settings


def path(sha256: str) -> Path:
    """Where the bytes with this hash lie, or would lie; raises `ValueError` for what is no SHA-256."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("That is no SHA-256 in hex.")
    return Path(settings.FILES_DIR) / sha256[:2] / sha256[2:4] / sha256


def store(data: bytes) -> str:
    """Keep the bytes and return their SHA-256; on return they survive a power cut. Storing twice is storing once."""
    sha256 = hashlib.sha256(data).hexdigest()
    target = path(sha256)
    if target.exists():
        os.utime(target)  # young again: `prune` lets it be until its new row is there
    else:
        _make_folder(target.parent)
        _write(target, data)
    return sha256


def prune(*, keep: Container[str], older_than_s: float) -> int:
    """Delete stored files whose hash is not in `keep` and that nobody stored for `older_than_s` seconds; returns how many."""
    young = time.time() - older_than_s
    unused = [
        file
        for file in Path(settings.FILES_DIR).glob("??/??/*")
        if file.name not in keep and file.stat().st_mtime < young
    ]
    for file in unused:
        file.unlink(missing_ok=True)
    return len(unused)


def open_file(sha256: str) -> BinaryIO:
    """The stored bytes, for reading; raises `FileNotFoundError` when they are not there."""
    return path(sha256).open("rb")


def _write(target: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    """Create the folder and make each new name durable in its parent."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for made in missing:
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
