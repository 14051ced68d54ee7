"""Work that is written item by item: one Markdown file an item, named by position and item, so that a download reads in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from submissions import storage
from submissions.models import Source, Submission, SubmittedFile

TEXT_SUFFIXES = (".md", ".txt")
NAME = re.compile(r"\d+-(?P<item>[\w-]+)\.md")


@dataclass(frozen=True)
class UploadedFile:
    """A file that was handed in as it is. `text` is None for one that a browser must not show, a PDF."""

    pk: int
    name: str
    size: int
    text: str | None


def file_name(position: int, item: str) -> str:
    """As in `1-problem.md`."""
    return f"{position}-{item}.md"


def item_of(file: SubmittedFile) -> str | None:
    """The item that this file answers, or None where it is a file of another kind, an uploaded PDF for instance."""
    match = NAME.fullmatch(file.name)
    return match["item"] if match else None


def read_texts(submission: Submission) -> Mapping[str, str]:
    """What was written, by item, in order; empty for an upload, whatever its file is called. One query and one read a file."""
    if submission.source == Source.UPLOAD:
        return {}
    named = ((item_of(file), file) for file in submission.files.all())
    return {item: storage.read(file.sha256).decode() for item, file in named if item is not None}


def read_upload(submission: Submission) -> UploadedFile | None:
    """The file that was uploaded in place of texts, or None where texts were written. One query and one read."""
    file = submission.files.first() if submission.source == Source.UPLOAD else None
    if file is None:
        return None
    is_text = PurePosixPath(file.name).suffix.lower() in TEXT_SUFFIXES
    text = storage.read(file.sha256).decode("utf-8-sig") if is_text else None
    return UploadedFile(file.pk, file.name, file.size, text)


def word_count(text: str) -> int:
    """Words as people count them: what stands between spaces and holds a letter or a digit."""
    return sum(any(letter.isalnum() for letter in word) for word in text.split())
