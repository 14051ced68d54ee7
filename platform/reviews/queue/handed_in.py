"""What a student handed in, as a grader reads it: by item, or the files that were uploaded. No name of a file is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from reviews.models import RubricItem
from submissions import storage
from submissions.models import Submission, SubmittedFile
from submissions.texts import item_of

TEXTS = {".md", ".txt"}
KNOWN = TEXTS | {".pdf", ".ipynb", ".py", ".zip"}
PARAGRAPHS = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Part:
    """The text of one item; empty: nothing was written."""

    item: RubricItem
    text: str

    @property
    def words(self) -> int:
        """How many."""
        return len(self.text.split())


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded. `text` is None for what is no text, which can only be downloaded."""

    pk: int
    suffix: str
    size: int
    text: str | None = None

    @property
    def words(self) -> int:
        """How many."""
        return len((self.text or "").split())

    @property
    def is_pdf(self) -> bool:
        """Whether the browser's own viewer shows it."""
        return self.suffix == ".pdf"

    @property
    def kind(self) -> str:
        """As people call it: PDF, MD."""
        return self.suffix.removeprefix(".").upper() or "file"


@dataclass(frozen=True)
class HandedIn:
    """Parts in the rubric's order where it was written item by item; otherwise uploads."""

    parts: tuple[Part, ...]
    uploads: tuple[Upload, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is text."""
        return (*(part.text for part in self.parts), *(upload.text or "" for upload in self.uploads))

    @property
    def may_have_maths(self) -> bool:
        """Whether there are formulas, or dollars."""
        return any("$" in text for text in self.texts)

    @property
    def words(self) -> int:
        """In all texts together."""
        return sum(len(text.split()) for text in self.texts)

    @property
    def paragraphs(self) -> int:
        """In all texts together."""
        return sum(1 for text in self.texts for block in PARAGRAPHS.split(text) if block.strip())


def handed_in(submission: Submission, items: list[RubricItem]) -> HandedIn:
    """One query, and one read a file."""
    files = list(submission.files.all())
    texts = {item: _text(file) for file in files if (item := item_of(file))}
    known = {item.task_id for item in items}
    parts = tuple(Part(item, texts.get(item.task_id, "")) for item in items) if known & set(texts) else ()
    uploads = tuple(_upload(file) for file in files if item_of(file) not in known)
    return HandedIn(parts, uploads)


def suffix_of(file: SubmittedFile) -> str:
    """The kind of a file, as far as we know it; a student's own word after the dot is not told."""
    suffix = PurePath(file.name).suffix.lower()
    return suffix if suffix in KNOWN else ""


def _upload(file: SubmittedFile) -> Upload:
    suffix = suffix_of(file)
    return Upload(file.pk, suffix, file.size, _text(file) if suffix in TEXTS else None)


def _text(file: SubmittedFile) -> str:
    return storage.read(file.sha256).decode(errors="replace")
