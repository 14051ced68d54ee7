"""Submitted files in an S3-compatible store, for installations of several hosts. By django-storages, which is installed for this alone.

Objects are named as files are in the folder. A worker needs files, so what it grades is fetched into a cache on its disk, and
checked against its hash each time it is used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

from submissions.stores import DamagedFile, FolderStore, StorageAway, key_of, verified

CACHE_KEPT_S = 24 * 3600
CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})


class S3Store:
    """One bucket, below a prefix. The server checks a SHA-256 of what it is sent before it says yes."""

    def __init__(self, *, cache: Path, prefix: str, **options: Any) -> None:
        self._prefix = prefix.strip("/")
        self._objects = S3Storage(
            location=self._prefix,
            file_overwrite=True,
            default_acl=None,
            client_config=CONFIG,
            object_parameters={"ChecksumAlgorithm": "SHA256"},
            **options,
        )
        self._cache = FolderStore(cache)

    def store(self, data: bytes) -> str:
        """Send the bytes, also where they are there already: that makes them young, and whole."""
        sha256 = hashlib.sha256(data).hexdigest()
        with _away():
            self._objects.save(key_of(sha256), ContentFile(data))
        return sha256

    def read(self, sha256: str) -> bytes:
        """Fetch and check the bytes."""
        with _away():
            try:
                with self._objects.open(key_of(sha256)) as file:
                    return verified(sha256, file.read())
            except FileNotFoundError:  # said of a whole bucket that is not there, too
                self._objects.connection.meta.client.head_bucket(Bucket=self._objects.bucket_name)
                raise

    def path(self, sha256: str) -> Path:
        """The file in the cache, whole; fetched unless it is there."""
        try:
            self._cache.store(self._cache.read(sha256))  # young again
        except (FileNotFoundError, DamagedFile):
            self._cache.store(self.read(sha256))
            self._cache.prune(keep={sha256}, older_than_s=CACHE_KEPT_S)
        return self._cache.path(sha256)

    def hashes(self) -> Iterator[str]:
        """Names of all objects below the prefix."""
        return (PurePosixPath(found.key).name for found in self._listed())

    def prune(self, *, keep: Container[str], older_than_s: float) -> int:
        """Delete what is old and not kept. Each age is asked again at the last moment; docs/operator.md says why to keep versions."""
        deleted = 0
        with _away():
            for found in self._listed():
                name = PurePosixPath(found.key).name
                if name not in keep and _age_s(found) >= older_than_s and _age_s(found.Object()) >= older_than_s:
                    found.delete()
                    deleted += 1
        return deleted

    def _listed(self) -> Iterator[Any]:
        with _away():
            yield from self._objects.bucket.objects.filter(Prefix=f"{self._prefix}/" if self._prefix else "")


def _age_s(found: Any) -> float:
    return time.time() - float(found.last_modified.timestamp())


@contextmanager
def _away() -> Iterator[None]:
    """Whatever the service's client raises means that the store is away; a file that is not there stays that."""
    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        raise StorageAway(f"The S3 store cannot be used: {error}") from error
