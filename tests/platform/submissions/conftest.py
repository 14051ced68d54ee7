"""A real S3 server on this machine, and the platform using a bucket of it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from submissions import storage


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """moto as a process of its own: what reaches it came over HTTP."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = next(found[0] for line in server.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield address
        server.terminate()


@pytest.fixture
def bucket(s3_server: str, settings, tmp_path: Path, socket_enabled) -> Iterator[Any]:
    """An empty bucket that the settings name. What a test sees in it was sent over HTTP."""
    options = {"region_name": "us-east-1", "endpoint_url": s3_server}
    keys = {"aws_access_key_id": "tester", "aws_secret_access_key": "secret"}
    bucket = boto3.resource("s3", **options, **keys).Bucket(f"gradlab-{tmp_path.name.lower().replace('_', '-')[:40]}")
    bucket.create()
    settings.S3_BUCKET, settings.S3_PREFIX = bucket.name, "files"
    settings.S3_OPTIONS = {**options, "access_key": "tester", "secret_key": "secret"}
    settings.FILES_CACHE_DIR = tmp_path / "cache"
    yield bucket
    storage._s3.cache_clear()
    bucket.objects.all().delete()
    bucket.meta.client.close()
