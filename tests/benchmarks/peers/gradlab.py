"""Gradlab's side: the lab and the submissions in a folder, and warm worker processes that are asked to grade."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import nbformat

from . import notebooks
from .assignment import Variant
from .environments import ROOT
from .lab import write_lab
from .submissions import Submission
from .worker import Answer


@dataclass(frozen=True)
class LabFolder:
    """The lab of one variant, and the students' notebooks by the submission's name."""

    lab: Path
    variant: Variant
    files: dict[str, Path]


def write_folder(folder: Path, variant: Variant, submissions: Sequence[Submission]) -> LabFolder:
    """Write the lab, and each submission as a student would hand it in."""
    handed_in = folder / "submissions"
    handed_in.mkdir(parents=True, exist_ok=True)
    source = notebooks.lab_source(variant)
    files = {}
    for submission in submissions:
        files[submission.name] = handed_in / f"{submission.name}.ipynb"
        nbformat.write(notebooks.answered(source, submission.source), files[submission.name])
    return LabFolder(write_lab(folder / "lab", variant), variant, files)


class Worker:
    """One worker process. It ends with its input, when the block that holds it ends."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder
        module = f"{__package__}.worker"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder.lab), str(folder.variant)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def send(self, names: Sequence[str], *, beside: bool = False) -> None:
        """Ask for the submissions of these names to be graded in turn."""
        request = {"files": [str(self._folder.files[name]) for name in names], "beside": beside}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Answer:
        """The answer to the request before; raises `RuntimeError` when the worker has died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a Gradlab worker died; its traceback is above")
        return msgspec.json.decode(line, type=Answer)

    def grade(self, names: Sequence[str], *, beside: bool = False) -> Answer:
        """Have them graded, and wait."""
        self.send(names, beside=beside)
        return self.receive()


def at_once(workers: Sequence[Worker], parts: Sequence[Sequence[str]], *, beside: bool = False) -> list[Answer]:
    """Have each worker grade a part, all at the same time."""
    for worker, names in zip(workers, parts, strict=True):
        worker.send(names, beside=beside)
    return [worker.receive() for worker in workers]
