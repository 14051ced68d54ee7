"""The installation's store of submitted files, as the settings choose it. A file is durable before its row commits."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from submissions.stores import FileStore, FolderStore


def store(data: bytes) -> str:
    """Keep the bytes and return their SHA-256; on return they survive a power cut."""
    return _chosen().store(data)


def read(sha256: str) -> bytes:
    """The bytes, checked against their hash; raises `OSError` where they are missing, damaged or out of reach."""
    return _chosen().read(sha256)


def open_file(sha256: str) -> BinaryIO:
    """The same, for reading."""
    return BytesIO(read(sha256))


def path(sha256: str) -> Path:
    """Where the bytes lie on this machine, for the grader; fetched first where the store is elsewhere."""
    return _chosen().path(sha256)


def hashes() -> Iterator[str]:
    """Of all files that are there now."""
    return _chosen().hashes()


def prune(*, keep: Container[str], older_than_s: float) -> int:
    """Delete stored files whose hash is not in `keep` and that nobody stored for `older_than_s` seconds; returns how many."""
    return _chosen().prune(keep=keep, older_than_s=older_than_s)


def _chosen() -> FileStore:
    if settings.S3_BUCKET:
        options = tuple(sorted(settings.S3_OPTIONS.items()))
        return _s3(settings.S3_BUCKET, settings.S3_PREFIX, Path(settings.FILES_CACHE_DIR), options)
    return FolderStore(Path(settings.FILES_DIR))


@lru_cache(maxsize=4)
def _s3(bucket: str, prefix: str, cache: Path, options: tuple[tuple[str, str | None], ...]) -> FileStore:
    from submissions.s3 import S3Store  # noqa: PLC0415 - its packages are there where it is used

    return S3Store(bucket_name=bucket, prefix=prefix, cache=cache, **dict(options))
