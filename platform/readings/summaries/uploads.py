"""A summary that comes as a file: what is taken, and what a refusal says. Nobody opens a PDF here; its first bytes and its size are all."""

from __future__ import annotations

from pathlib import PurePosixPath

from submissions.services import IncomingFile, SubmissionRefused
from submissions.texts import TEXT_SUFFIXES

PDF = ".pdf"
SUFFIXES = (*TEXT_SUFFIXES, PDF)
TEXT_MAX_KB, PDF_MAX_MB, NAME_MAX = 200, 10, 200


def check_file(file: IncomingFile) -> None:
    """Raise `SubmissionRefused` unless it is text in UTF-8, or looks like a PDF, of a size that people write."""
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix not in SUFFIXES:
        raise SubmissionRefused(
            f"A summary is a file of the kind {', '.join(SUFFIXES)}. {file.name or 'This'} is none."
        )
    if len(file.name) > NAME_MAX:
        raise SubmissionRefused(f"The file's name is longer than {NAME_MAX} characters. Give it a shorter name.")
    if not file.data.strip():
        raise SubmissionRefused(f"{file.name} is empty. Save your work and choose the file again.")
    if suffix == PDF:
        _check_pdf(file)
    else:
        _check_text(file)


def _check_pdf(file: IncomingFile) -> None:
    _check_size(file, PDF_MAX_MB << 10)
    if not file.data.startswith(b"%PDF-"):
        raise SubmissionRefused(f"{file.name} does not begin as a PDF does. Export your text as PDF again.")


def _check_text(file: IncomingFile) -> None:
    _check_size(file, TEXT_MAX_KB)
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SubmissionRefused(
            f"{file.name} is not text in UTF-8: byte {error.start + 1} does not fit. Save it as UTF-8 and choose it again."
        ) from error
    if "\0" in text:
        raise SubmissionRefused(f"{file.name} holds bytes that are no text. Save it as plain text and choose it again.")


def _check_size(file: IncomingFile, most_kb: int) -> None:
    if len(file.data) > most_kb << 10:
        most = f"{most_kb} kB" if most_kb < 1024 else f"{most_kb >> 10} MB"
        raise SubmissionRefused(f"{file.name} has {len(file.data) / 1024:,.0f} kB; at most {most} are taken.")
