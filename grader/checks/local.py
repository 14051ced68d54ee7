"""Checks in plain pytest: the student's program runs in this very process. For a student's own machine; nothing is walled off."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ..inside.cells import read_cells
from ..inside.program import Program


def has_gpu() -> bool:
    """Whether torch is here and sees a GPU."""
    return find_spec("torch") is not None and bool(import_module("torch").cuda.is_available())


class LocalStudent:
    """A program and its driver in this process."""

    def __init__(self, submission: Path, driver: Path) -> None:
        self._submission, self._driver = submission, driver

    @cached_property
    def _program(self) -> Program:
        program = Program()
        if str(self._driver.parent) not in sys.path:
            sys.path.insert(0, str(self._driver.parent))  # the driver's other parts lie beside it
        program.load_driver(self._driver.read_text(encoding="utf-8"))
        for note in program.load(read_cells(self._submission)):
            print(f"note: {note}")  # noqa: T201 - pytest shows it beside a failing check
        return program

    def call(self, function: str, /, **arguments: Any) -> Any:
        """Run the driver's function on the program; exceptions pass through."""
        return self._program.call(function, arguments)

    def processor_s(self) -> float:
        """Of this whole process."""
        return time.process_time()


class LocalProvider:
    """Finds the lab as the folder above `checks/`, and the submission beside it."""

    def __init__(self, submission: str, seed: int) -> None:
        self.seed = seed
        self._submission = submission
        self._students: dict[tuple[Path, str], LocalStudent] = {}

    def student(self, item: pytest.Item) -> LocalStudent:
        """The submission, loaded once for each task as in the judge."""
        return self._loaded(item, self._submission)

    def reference(self, item: pytest.Item) -> LocalStudent:
        """On a student's machine there is no instructor's notebook: the submission stands in for it, so ratios read 1."""
        return self._loaded(item, "")

    def _loaded(self, item: pytest.Item, submission: str) -> LocalStudent:
        lab = next(parent for parent in item.path.parents if (parent / "driver.py").is_file())
        if item.get_closest_marker("gpu") is not None and not has_gpu():
            pytest.skip("This check needs a GPU, and there is none here; where the course has one, it runs there.")
        task = item.get_closest_marker("task")
        chosen = Path(submission) if submission else lab / "notebook.ipynb"
        key = (chosen, str(task.args[0]) if task else "")
        if key not in self._students:
            self._students[key] = LocalStudent(chosen, lab / "driver.py")
        return self._students[key]
