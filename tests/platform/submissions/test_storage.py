"""Content-addressed storage: the name is the hash, what is there is whole, what failed leaves nothing."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from submissions import storage


def test_any_bytes_come_back_under_their_hash(files_dir):
    rng = random.Random(1)
    for size in (0, 1, 4096, 100_003):
        data = rng.randbytes(size)
        sha256 = storage.store(data)
        assert sha256 == hashlib.sha256(data).hexdigest()
        with storage.open_file(sha256) as file:
            assert file.read() == data
        assert storage.path(sha256) == files_dir / sha256[:2] / sha256[2:4] / sha256


def test_storing_again_keeps_one_file(files_dir):
    sha256 = storage.store(b"x")
    inode = storage.path(sha256).stat().st_ino
    assert storage.store(b"x") == sha256
    assert storage.path(sha256).stat().st_ino == inode


def test_only_old_files_that_nothing_names_are_pruned(files_dir):
    named, forgotten, young, again = (storage.store(data) for data in (b"named", b"forgotten", b"young", b"again"))
    for sha256 in (named, forgotten, again):
        os.utime(storage.path(sha256), (0, 0))
    storage.store(b"again")  # its row is about to be written
    assert storage.prune(keep={named}, older_than_s=86_400) == 1
    assert not storage.path(forgotten).exists()
    assert all(storage.path(sha256).exists() for sha256 in (named, young, again))


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "g" * 64, "0" * 65])
def test_what_is_no_hash_is_no_path(name):
    with pytest.raises(ValueError, match="SHA-256"):
        storage.path(name)


def test_a_full_disk_leaves_no_half_file(files_dir, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        storage.store(b"x")
    assert not [path for path in files_dir.rglob("*") if path.is_file()]


def test_the_bytes_and_their_name_are_synced_before_the_call_returns(files_dir, monkeypatch):
    synced: list[str] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    sha256 = storage.store(b"durable")
    assert str(storage.path(sha256).parent) in synced
    assert any(Path(name).parent == storage.path(sha256).parent for name in synced)
