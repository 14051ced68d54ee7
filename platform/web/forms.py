"""What the pages with an editor post: its cells, or files, or the buttons' extras."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from assignments.models import Assignment
from grader.api import notebook_from_cells
from submissions.models import Source
from submissions.services import IncomingFile

FIELD_PREFIX = "cell-"
TOKEN_MAX, TAB_MAX = 64, 40


@dataclass(frozen=True)
class PostedWork:
    """Work as it was posted. With files it is an upload; otherwise `sources` (by cell key) is the editor's text.

    `tab` names the window that it was typed in; `confirmed` says that its student was warned and means it.
    """

    files: tuple[IncomingFile, ...]
    sources: dict[str, str]
    revision: int
    client_token: str
    supersede: bool
    tab: str = ""
    confirmed: bool = False

    @property
    def source(self) -> str:
        """How the work came."""
        return Source.UPLOAD if self.files else Source.EDITOR

    def incoming(self, assignment: Assignment) -> tuple[IncomingFile, ...]:
        """The files to hand in: those uploaded, or the notebook that the editor's text makes."""
        if self.files or not self.sources or assignment.lab is None:
            return self.files
        notebook = notebook_from_cells(assignment.lab.folder, self.sources)
        return (IncomingFile(f"{assignment.slug}.ipynb", notebook),)


def posted_work(request: HttpRequest) -> PostedWork:
    """Read a post: fields `cell-<key>`, `revision`, `tab`, `client_token`, `supersede`, `confirmed`, and the files `files`."""
    sources = {
        name.removeprefix(FIELD_PREFIX): _text(value)
        for name, value in request.POST.items()
        if name.startswith(FIELD_PREFIX)
    }
    revision = request.POST.get("revision", "")
    return PostedWork(
        files=tuple(IncomingFile(file.name or "", file.read()) for file in request.FILES.getlist("files")),
        sources=sources,
        revision=int(revision) if revision.isdecimal() and len(revision) < 10 else 0,
        client_token=_text(request.POST.get("client_token", ""))[:TOKEN_MAX],
        supersede=request.POST.get("supersede") == "yes",
        tab=_text(request.POST.get("tab", ""))[:TAB_MAX],
        confirmed=request.POST.get("confirmed") == "yes",
    )


def _text(value: object) -> str:
    """As it was typed, with plain line ends; without the NULs that PostgreSQL does not store."""
    return str(value).replace("\r\n", "\n").replace("\0", "")
