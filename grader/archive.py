"""Reading an uploaded zip without trusting a word of it: names, kinds, counts and sizes are checked before and while bytes are read.

Only the standard library's reader is used, and nothing is ever extracted to disk.
"""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath

from .contract import Refusal

END_RECORD = struct.Struct("<4s4H2LH")
MAX_ENTRIES = 200
MAX_DIRECTORY_BYTES = 64 << 10
MAX_RATIO = 200
# The standard library's reader stops these two where it is told to; of any other it unpacks a whole entry before a byte can be counted.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError)
JUNK = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store", "__pycache__")


def check_name(name: str) -> str:
    """The name in NFC; raises `Refusal` for one that is empty, too long, a path, or holds control characters."""
    clean = unicodedata.normalize("NFC", name)
    if not clean or len(clean) > 120:
        raise Refusal("A file's name must have between 1 and 120 characters. Rename the file and submit again.")
    if any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in clean):
        raise Refusal(f"The file name {clean!a} holds a line break or another invisible character. Rename the file.")
    if "/" in clean or "\\" in clean or clean in {".", ".."}:
        raise Refusal(f"The file name {clean!r} is a path. Send the file by its name alone.")
    return clean


def read_zip(name: str, data: bytes, *, max_bytes: int) -> list[tuple[str, bytes]]:
    """The regular files of a zip as (path inside it, bytes); raises `Refusal` naming the entry that is wrong."""
    _check_directory(name, data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not _is_junk(entry.filename)]
            _check_entries(name, entries)
            return _read_entries(name, archive, [entry for entry in entries if not entry.is_dir()], max_bytes)
    except DAMAGED as error:
        raise Refusal(
            f"{name} cannot be opened as a zip file; it may be cut off. Make it again and submit again."
        ) from error


def _check_directory(name: str, data: bytes) -> None:
    """The directory at the end says how many entries follow: too many are refused before any is parsed."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - (1 << 16) - END_RECORD.size))
    if at < 0 or len(data) < at + END_RECORD.size:
        raise Refusal(f"{name} is not a zip file, or it is cut off. Make it again and submit again.")
    _, _, _, _, entries, size, _, _ = END_RECORD.unpack_from(data, at)
    if entries > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES:
        raise Refusal(
            f"{name} lists more than {MAX_ENTRIES} files. Send the notebook alone, or a zip with just your files."
        )


def _is_junk(path: str) -> bool:
    """What file managers and Jupyter leave behind."""
    return any(part in JUNK for part in PurePosixPath(path).parts)


def _check_entries(name: str, entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        shown = ascii(entry.filename)
        _check_path(name, entry.filename, shown)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise Refusal(f"{name}: the entry {shown} is a link or a device. Only ordinary files are accepted.")
        if entry.flag_bits & 1:
            raise Refusal(f"{name}: the entry {shown} is encrypted. Make the zip without a password.")
        if entry.compress_type not in METHODS:
            raise Refusal(
                f"{name}: the entry {shown} is packed in an unusual way. Make the zip again with the usual compression."
            )
        if entry.filename.casefold() in seen:
            raise Refusal(f"{name}: the entry {shown} is there twice. Keep one of the two.")
        seen.add(entry.filename.casefold())


def _check_path(name: str, path: str, shown: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts:
        raise Refusal(f"{name}: an entry has no name. Make the zip again from inside your folder.")
    if path.startswith("/") or ".." in parts or "\\" in path or ":" in path:
        raise Refusal(f"{name}: the entry {shown} points outside the zip. Make the zip again from inside your folder.")
    for part in parts:
        check_name(part)


def _read_entries(
    name: str, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], max_bytes: int
) -> list[tuple[str, bytes]]:
    """Sizes are counted while the bytes come out; what the headers claim is not used."""
    files, left = [], max_bytes
    for entry in entries:
        if entry.filename.lower().endswith((".zip", ".tar", ".gz", ".7z", ".rar")):
            raise Refusal(
                f"{name}: the entry {entry.filename!a} is an archive inside the archive. Put its files in directly."
            )
        with archive.open(entry) as stream:
            content = stream.read(left + 1)
        if len(content) > left or len(content) > MAX_RATIO * max(entry.compress_size, 1024):
            raise Refusal(
                f"{name}: the entry {entry.filename!a} unpacks to more than is accepted ({max_bytes >> 20} MB in all)."
            )
        left -= len(content)
        files.append((entry.filename, content))
    return files
