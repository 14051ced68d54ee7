"""A student's program: its cells run in one namespace, the lab's driver calls into it, and faults are told by cell and line."""

from __future__ import annotations
import __future__

import functools
import itertools
import linecache
import operator
import sys
import traceback
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import counts, timing
from .cells import Cell
from .witness import Witness

FUTURE_FLAGS = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


@dataclass(frozen=True)
class Fault:
    """An exception of the student's code: its type, its text, and the innermost line of theirs that it passed."""

    type: str
    message: str
    where: str

    def __str__(self) -> str:
        text = f"{self.type}: {self.message}" if self.message else self.type
        return f"{text} ({self.where})" if self.where else text


class Program:
    """The namespace that the cells fill, and the driver beside it."""

    def __init__(self) -> None:
        self.namespace = types.ModuleType("submission")
        self._driver = types.ModuleType("driver")
        self._future = 0
        self._notes: list[str] = []
        self.witness = Witness()
        # dataclasses and pickling look classes' modules up by name
        sys.modules["submission"] = self.namespace

    def load_library(self, sources: Mapping[str, str]) -> None:
        """Make these modules importable, each after those before it, under their own names and without the rest of their packages."""
        for name, source in sources.items():
            parents = list(itertools.accumulate(name.split(".")[:-1], "{}.{}".format))
            for parent in parents:
                sys.modules.setdefault(parent, types.ModuleType(parent)).__path__ = []
            module = sys.modules[name] = types.ModuleType(name)
            module.__package__ = parents[-1] if parents else ""
            code = compile(source, f"{name.replace('.', '/')}.py", "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - running it is the point

    def load_driver(self, source: str) -> None:
        """Run the lab's driver.py; it is ours, so a fault passes through."""
        sys.modules["driver"] = self._driver
        self._driver.timing = timing  # type: ignore[attr-defined]
        self._driver.counts = counts  # type: ignore[attr-defined]
        exec(compile(source, "driver.py", "exec", dont_inherit=True), self._driver.__dict__)  # noqa: S102 - running it is the point

    def load(self, cells: Sequence[Cell], watched: Iterable[str] = ()) -> list[str]:
        """Run the cells in order. One that fails does not stop the rest; returns a sentence for each that did.

        `watched` are operations whose use by the student's own cells is noted from here on.
        """
        self.witness.watch(watched, (cell.filename for cell in cells if not cell.given))
        for cell in cells:
            fault = self._run(cell)
            if fault is not None:
                self._notes.append(f"{cell.label} stopped with {fault}; the cells after it still ran.")
        return self._notes

    def call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """`driver.function(program, **arguments)`; exceptions pass through, and a name that is missing is told with the likely reason."""
        try:
            with self.witness.operators():
                return getattr(self._driver, function)(self.namespace, **arguments)
        except AttributeError as error:
            if error.obj is not self.namespace:
                raise
            raise NameError(" ".join([f"your code does not define {error.name}.", *self._notes[:1]])) from None

    def _run(self, cell: Cell) -> Fault | None:
        filename = cell.filename
        linecache.cache[filename] = (len(cell.source), None, cell.source.splitlines(keepends=True), filename)
        try:
            code = compile(cell.source, filename, "exec", self._future, dont_inherit=True)
            self._future |= code.co_flags & FUTURE_FLAGS  # as in Jupyter, it holds for the cells that follow
            exec(code, self.namespace.__dict__)  # noqa: S102 - running it is the point
        except BaseException as error:  # noqa: BLE001 - whatever a student's cell raises, the next cell gets its turn
            return fault_of(error)
        return None


def fault_of(error: BaseException) -> Fault:
    """Describe an exception by the student's own lines only; the grader's frames are not shown."""
    if isinstance(error, SyntaxError) and (error.filename or "").startswith("<"):
        return Fault(type(error).__name__, str(error.msg), _place(error.filename or "", error.lineno))
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith("<") and "frozen" not in f.filename
    ]
    where = _place(frames[-1].filename, frames[-1].lineno) if frames else ""
    return Fault(type(error).__name__, _text(error), where)


def _place(filename: str, line: int | None) -> str:
    return f"{filename.strip('<>').removeprefix('given ')}, line {line}"


def _text(error: BaseException, limit: int = 300) -> str:
    """A student's `__str__` may itself raise, or be endless."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001
        return "its message could not be read"
    return text if len(text) <= limit else text[: limit - 1] + "…"
