"""Work that is written item by item: one Markdown file an item, named by position and item, so that a download reads in order."""

from __future__ import annotations

import re
from collections.abc import Mapping

from submissions import storage
from submissions.models import Submission, SubmittedFile

NAME = re.compile(r"\d+-(?P<item>[\w-]+)\.md")


def file_name(position: int, item: str) -> str:
    """As in `1-problem.md`."""
    return f"{position}-{item}.md"


def item_of(file: SubmittedFile) -> str | None:
    """The item that this file answers, or None where it is a file of another kind, an uploaded PDF for instance."""
    match = NAME.fullmatch(file.name)
    return match["item"] if match else None


def read_texts(submission: Submission) -> Mapping[str, str]:
    """What was written, by item, in order; empty for an upload. One query and one read a file."""
    named = ((item_of(file), file) for file in submission.files.all())
    return {item: storage.read(file.sha256).decode() for item, file in named if item is not None}
