"""What may be handed in: one PDF, beside it one zip, and the address of a repository. What a refusal says names the entry.

Nobody opens a PDF here: its first bytes and its size are all. A zip is judged by its own list of contents and never unpacked. No
address is ever fetched.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from projects.deliverables.zips import check_zip
from submissions.services import IncomingFile, SubmissionRefused

PDF, ZIP = ".pdf", ".zip"
PDF_MAX_MB, ZIP_MAX_MB, NAME_MAX, URL_MAX = 20, 10, 200, 500
SCHEMES = ["https", "http"]


def check_pdf(file: IncomingFile | None) -> IncomingFile:
    """The file; raises `SubmissionRefused` unless it looks like a PDF of a size that people write."""
    if file is None:
        raise SubmissionRefused("No PDF was chosen, so nothing was handed in. Choose your PDF and hand in again.")
    _check_name(file, PDF)
    _check_size(file, PDF_MAX_MB)
    if not file.data.startswith(b"%PDF-"):
        raise SubmissionRefused(f"{file.name} does not begin as a PDF does. Export your work as PDF again.")
    return file


def check_code(file: IncomingFile) -> IncomingFile:
    """The file; raises `SubmissionRefused` unless it is a zip that can be unpacked without harm."""
    _check_name(file, ZIP)
    _check_size(file, ZIP_MAX_MB)
    check_zip(file)
    return file


def check_url(text: str) -> str:
    """The address of a repository as it is kept, empty for none; raises `SubmissionRefused` for what is no address on the web."""
    url = text.strip()
    if not url:
        return ""
    if len(url) > URL_MAX:
        raise SubmissionRefused(
            f"The address of the repository is longer than {URL_MAX} characters. Give the address of its first page."
        )
    try:
        URLValidator(schemes=SCHEMES)(url)
        parts = urlsplit(url)
    except (ValidationError, ValueError) as error:
        raise SubmissionRefused(
            f"“{url[:80]}” is no address on the web. One begins with https://, as in https://github.com/you/project."
        ) from error
    if parts.username is not None or parts.password is not None:
        raise SubmissionRefused(
            "The address of the repository holds a user name or a password, which your graders would see. Leave that part out."
        )
    return url


def _check_name(file: IncomingFile, suffix: str) -> None:
    if PurePosixPath(file.name).suffix.lower() != suffix:
        kind = "the report or the slides are a PDF" if suffix == PDF else "code comes as one zip"
        raise SubmissionRefused(
            f"{file.name or 'This file'} does not end in {suffix}, and {kind}. Choose another file."
        )
    if len(file.name) > NAME_MAX:
        raise SubmissionRefused(f"The name of a file is longer than {NAME_MAX} characters. Give it a shorter name.")
    if not file.data:
        raise SubmissionRefused(f"{file.name} is empty. Save your work and choose the file again.")


def _check_size(file: IncomingFile, most_mb: int) -> None:
    if len(file.data) > most_mb << 20:
        size = f"{len(file.data) / (1 << 20):,.1f} MB"
        hint = "Export it with smaller pictures." if most_mb == PDF_MAX_MB else "Leave data and binaries out."
        raise SubmissionRefused(f"{file.name} has {size}; at most {most_mb} MB are taken. {hint}")
