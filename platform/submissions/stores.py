"""Where submitted bytes can lie: one interface, and the folder. Names are SHA-256; a file is whole, or it is not there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol


class StorageAway(OSError):  # noqa: N818 - a state, and it passes
    """The store cannot be reached or takes nothing now; trying later may help."""


class DamagedFile(OSError):  # noqa: N818 - a finding about a file
    """What lies under a hash has another one. It is never handed out."""


class FileStore(Protocol):
    """Content-addressed bytes. Every method raises `ValueError` for a name that is no SHA-256 in hex."""

    def store(self, data: bytes) -> str:
        """Keep the bytes and return their SHA-256; on return they survive a power cut. Storing twice is storing once."""

    def read(self, sha256: str) -> bytes:
        """The bytes, checked against their hash; raises `FileNotFoundError`, `DamagedFile` or `StorageAway`."""

    def path(self, sha256: str) -> Path:
        """Where the bytes lie on this machine, fetched first where the store is elsewhere."""

    def hashes(self) -> Iterator[str]:
        """Of all files that are there now."""

    def prune(self, *, keep: Container[str], older_than_s: float) -> int:
        """Delete files that are not in `keep` and that nobody stored for `older_than_s` seconds; returns how many."""


def key_of(sha256: str) -> str:
    """`aa/bb/<sha256>`, the name of these bytes in every store; raises `ValueError` for what is no SHA-256."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("That is no SHA-256 in hex.")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def verified(sha256: str, data: bytes) -> bytes:
    """The bytes, if they are those; raises `DamagedFile`."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedFile(f"The stored file {sha256} is damaged: its bytes have another hash.")
    return data


class FolderStore:
    """Files below a folder of this machine, or of a network file system that several machines share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def store(self, data: bytes) -> str:
        """Write, sync, rename. What is there already is only made young, unless it is damaged."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if not self._renewed(target, data):
            _make_folder(target.parent)
            _write(target, data)
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes; raises `FileNotFoundError` or `DamagedFile`."""
        return verified(sha256, self.path(sha256).read_bytes())

    def path(self, sha256: str) -> Path:
        """Where they lie, or would lie."""
        return self.root / key_of(sha256)

    def hashes(self) -> Iterator[str]:
        """Names of all whole files, in order of their names."""
        return (file.name for file in sorted(self.root.glob("??/??/*")) if not file.name.startswith("."))

    def prune(self, *, keep: Container[str], older_than_s: float) -> int:
        """Delete, one by one under the lock, so that none is deleted that somebody stores at this moment."""
        young, deleted = time.time() - older_than_s, 0
        for file in [file for file in self.root.glob("??/??/*") if file.name not in keep]:
            with self._locked(fcntl.LOCK_EX), suppress(FileNotFoundError):  # another sweeper was faster
                if file.stat().st_mtime < young:
                    file.unlink()
                    deleted += 1
        return deleted

    def _renewed(self, target: Path, data: bytes) -> bool:
        """Make the file that is there young, so that `prune` lets it be until its new row is there."""
        if not target.exists():
            return False
        with self._locked(fcntl.LOCK_SH):
            try:
                os.utime(target)
                return target.read_bytes() == data
            except FileNotFoundError:
                return False

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, kind)
            yield
        finally:
            os.close(folder)


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
    sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    """Create the folder and make each new name durable in its parent."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
