"""Whether a zip can be unpacked without harm, by what it says of itself. Nothing is unpacked, so nothing can burst here."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from submissions.services import IncomingFile, SubmissionRefused

MEMBERS_MAX, UNPACKED_MAX_MB, MEMBER_NAME_MAX = 2000, 200, 300
LIST_MAX = 1 << 20  # bytes of the list of contents: room for that many members, and it is read before any is looked at
END, ZIP64 = struct.Struct("<4s4H2LH"), b"PK\x06\x07"
DEFLATE_MOST = 1032  # times smaller is the most that zip's usual way of packing makes a file
LOCAL_HEADER = 30  # bytes at least before each member's data
ENCRYPTED = 0x1
DRIVE = re.compile(r"[A-Za-z]:")


def check_zip(file: IncomingFile) -> None:
    """Raise `SubmissionRefused`, naming the member, for a zip that is none, leaves its folder, links, hides or bursts."""
    _check_list(file)
    members = _members(file)
    if all(member.is_dir() for member in members):
        raise SubmissionRefused(f"{file.name} holds no file. Pack your code again.")
    if len(members) > MEMBERS_MAX:
        raise _too_many(file)
    seen: set[str] = set()
    for member in members:
        if wrong := _wrong_with(member, seen):
            raise SubmissionRefused(f"{file.name} holds {_shown(member)}, which {wrong}. Pack it again without it.")
    _check_sizes(file, members)
    _check_places(file, members)


def _check_list(file: IncomingFile) -> None:
    """The record at the end says how long the list of contents is; a list of a million names is not even read."""
    at = file.data.rfind(b"PK\x05\x06", max(0, len(file.data) - (1 << 16) - END.size))
    if at < 0 or len(file.data) < at + END.size:
        raise _no_zip(file)
    size = END.unpack_from(file.data, at)[5]
    if size > LIST_MAX or file.data[max(0, at - 20) : at].startswith(ZIP64):
        raise _too_many(file)


def _members(file: IncomingFile) -> Sequence[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            return archive.infolist()
    # what the standard library raises for the many ways in which a zip can be broken
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise _no_zip(file) from error


def _wrong_with(member: zipfile.ZipInfo, seen: set[str]) -> str:
    """What is wrong with a member, as the end of a sentence; empty for nothing. `seen` are the names before it."""
    # the standard library ends a name at a NUL, and the program that unpacks it may not
    name = member.orig_filename.replace("\\", "/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    wrongs = (
        (len(name) > MEMBER_NAME_MAX, f"has a name of more than {MEMBER_NAME_MAX} characters"),
        (any(ord(letter) < 32 for letter in name), "has control characters in its name"),
        (name.startswith("/") or DRIVE.match(name), "has an absolute path"),
        (".." in PurePosixPath(name).parts, "lies outside of the archive"),
        (kind == stat.S_IFLNK, "is a symbolic link"),
        (kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}, "is neither a file nor a folder"),
        (member.flag_bits & ENCRYPTED, "is encrypted, so that nobody can read it"),
        (name.casefold() in seen, "is there twice"),
    )
    seen.add(name.casefold())
    return next((wrong for holds, wrong in wrongs if holds), "")


def _check_sizes(file: IncomingFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """What the list states together, and whether each of it can be true."""
    total = sum(member.file_size for member in members)
    if total > UNPACKED_MAX_MB << 20:
        raise SubmissionRefused(
            f"{file.name} would unpack to {total / (1 << 20):,.0f} MB; at most {UNPACKED_MAX_MB} MB are taken. Leave data and binaries out."
        )
    for member in members:
        most = DEFLATE_MOST * (member.compress_size + 1)
        if member.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} and member.file_size > most:
            raise SubmissionRefused(
                f"{file.name} holds {_shown(member)}, whose size cannot be true. Pack your code again."
            )


def _check_places(file: IncomingFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """Members that share their bytes make a small zip unpack to a huge one."""
    for before, after in pairwise(sorted(members, key=lambda member: member.header_offset)):
        if before.header_offset + LOCAL_HEADER + before.compress_size > after.header_offset:
            raise SubmissionRefused(
                f"{file.name} holds {_shown(after)}, whose data lies inside of another file's. Pack your code again."
            )


def _no_zip(file: IncomingFile) -> SubmissionRefused:
    return SubmissionRefused(f"{file.name} is no zip that can be read; it may be cut off. Pack your code again.")


def _too_many(file: IncomingFile) -> SubmissionRefused:
    return SubmissionRefused(
        f"{file.name} lists more than the {MEMBERS_MAX:,} files that are taken. Leave data, environments and .git out."
    )


def _shown(member: zipfile.ZipInfo) -> str:
    name = "".join(letter if letter.isprintable() else "�" for letter in member.orig_filename)
    return f"“{name if len(name) <= 80 else name[:79] + '…'}”"
