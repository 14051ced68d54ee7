"""Backup and restore of everything that counts: the database, submitted files, published labs.

A file is stored before its row commits and deleted only long after its row was, so files are copied before the database's
snapshot and again after it: whatever a row of the snapshot names is in one of the two. `backup.json` is written last; a folder without it
is no backup.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec
from django.conf import settings

from config import clock
from submissions import storage
from submissions.databases import BackupError, database, tables_in_use
from submissions.stores import DamagedFile, FolderStore

KIND = "gradlab backup 1"
MANIFEST = "backup.json"


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `lacking` are files and labs that a row names and that were not there whole."""

    kind: str
    made_at: str
    database: str
    database_sha256: str
    files: int
    labs: tuple[str, ...]
    lacking: tuple[str, ...]


def make_backup(folder: Path) -> Manifest:
    """Write a backup into an empty or new folder, while the site runs; raises `BackupError` or `OSError`."""
    _start(folder)
    files, source = FolderStore(folder / "files"), database()
    _copy_files(storage.hashes(), files)
    named = source.dump(folder / source.file)
    lacking = _copy_files(named.files, files)
    lacking += _copy_labs(named.labs, Path(settings.LABS_DIR), folder / "labs")
    manifest = Manifest(
        kind=KIND,
        made_at=clock.now().isoformat(timespec="seconds"),
        database=source.kind,
        database_sha256=_sha256(folder / source.file),
        files=sum(1 for _ in files.hashes()),
        labs=tuple(sorted(named.labs)),
        lacking=tuple(lacking),
    )
    _finish(folder, manifest)
    return manifest


def restore_backup(folder: Path, *, force: bool) -> Manifest:
    """Put a backup in place: files and labs first, the database last and as one. Stored files are only ever added to."""
    manifest, target = read_manifest(folder), database()
    if manifest.database != target.kind:
        raise BackupError(
            f"This is a backup of {manifest.database}, and GRADLAB_DATABASE_URL names {target.kind}. Nothing was changed."
        )
    if not force and (used := tables_in_use()):
        raise BackupError(
            f"The database is in use ({', '.join(used[:3])} and others hold rows), so nothing was changed. "
            "Make a backup of it, then use --force to put this one in its place."
        )
    dump, files = folder / target.file, FolderStore(folder / "files")
    if _sha256(dump) != manifest.database_sha256:
        raise BackupError("The backup's database is not as it was written. Nothing was changed; use another backup.")
    _put_back(manifest, files)
    if lost := set(_copy_labs(manifest.labs, folder / "labs", Path(settings.LABS_DIR))).difference(manifest.lacking):
        raise BackupError(f"The backup lacks its lab {min(lost)}. The database was not changed; use another backup.")
    target.restore(dump)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What a backup says that it holds; raises `BackupError` for a folder that is none."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(
            f"{folder} is no whole backup: its {MANIFEST}, which is written last, cannot be read. Nothing was changed."
        ) from error
    if manifest.kind != KIND:
        raise BackupError(f"{folder} is a {manifest.kind}, which this version cannot read. Nothing was changed.")
    return manifest


def _start(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty, so no backup was made. Name a new folder for each backup.")
    (folder / "files").mkdir(mode=0o700)


def _copy_files(hashes: Iterable[str], target: FolderStore) -> list[str]:
    """Copy what the target lacks, each checked against its hash; returns those that were not there whole."""
    lacking = []
    for sha256 in sorted(hashes):
        if target.path(sha256).exists():
            continue
        try:
            target.store(storage.read(sha256))
        except (FileNotFoundError, DamagedFile):
            lacking.append(sha256)
    return lacking


def _put_back(manifest: Manifest, files: FolderStore) -> None:
    """Store what the backup holds; as many files as it says, each as its name says."""
    found = list(files.hashes())
    if len(found) != manifest.files:
        raise BackupError(
            f"The backup lacks files: it holds {len(found)} of {manifest.files}. The database was not changed; use another backup."
        )
    for sha256 in found:
        try:
            storage.store(files.read(sha256))
        except DamagedFile as error:
            raise BackupError(
                f"The backup is damaged: {error} The database was not changed; use another backup."
            ) from error


def _copy_labs(paths: Iterable[str], source: Path, target: Path) -> list[str]:
    """Copy published labs, which never change; returns those that are not there."""
    lacking = [path for path in paths if not (source / path).is_dir()]
    for path in set(paths).difference(lacking):
        shutil.copytree(source / path, target / path, dirs_exist_ok=True)
    return sorted(lacking)


def _finish(folder: Path, manifest: Manifest) -> None:
    """The manifest, once everything else is on the disk."""
    os.sync()
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    temporary = folder / f".{MANIFEST}"
    temporary.write_bytes(text)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.rename(folder / MANIFEST)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
