"""Sees which operations the student's own code calls while a check runs: listed functions, torch's operators, Triton's launches.

A witness lives where the student's code lives, so it can be silenced; what it says can only cost points, never give any. The judge
compares it with what the text of the submission names.

Functions are watched by a wrapper in their module, torch's operators (`aten::mm`) by a dispatch mode, Triton's launches by a wrapper of
the launcher (`triton:launch`). A call counts when the innermost frame below it that is not a library's is the student's.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, ModuleType
from typing import Any

OPERATOR, LAUNCH = "::", "triton:"


class Witness:
    """Notes the names, of those it was told to watch, that the student's code called."""

    def __init__(self) -> None:
        self._watched: frozenset[str] = frozenset()
        self._theirs: frozenset[str] = frozenset()
        self._seen: dict[str, str] = {}

    def watch(self, names: Iterable[str], theirs: Iterable[str]) -> None:
        """Watch these operations; `theirs` are the file names of the student's cells."""
        self._watched, self._theirs = frozenset(names), frozenset(theirs)
        for name in sorted(self._watched):
            if OPERATOR not in name and not name.startswith(LAUNCH):
                self._wrap(name)
        if any(name.startswith(LAUNCH) for name in self._watched):
            self._wrap_launcher()

    def take(self) -> dict[str, str]:
        """What was seen since the last call: operation → the student's line."""
        seen, self._seen = self._seen, {}
        return seen

    def operators(self) -> AbstractContextManager[Any]:
        """Around a call: torch's dispatch is watched, where torch is loaded and an operator is listed."""
        torch = sys.modules.get("torch")
        if torch is None or not any(OPERATOR in name for name in self._watched):
            return nullcontext()
        return _dispatch_mode(self._operator)

    def _operator(self, name: str) -> None:
        if name in self._watched:
            self._note(name)

    def _note(self, name: str) -> None:
        place = self._place(sys._getframe(1))  # noqa: SLF001 - the way to see who calls
        if place:
            self._seen.setdefault(name, place)

    def _place(self, frame: FrameType | None) -> str:
        """The student's line below a call, unless a frame of the lab's own lies between."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file in self._theirs:
                return f"{file.strip('<>')}, line {frame.f_lineno}"
            if file.startswith("<given ") or file == "driver.py":
                return ""
            frame = frame.f_back
        return ""

    def _wrap(self, name: str) -> None:
        """Replace `package.module.function` where it is kept by a wrapper that notes the call."""
        path, _, attribute = name.rpartition(".")
        try:
            holder = _resolve(path)
            original = getattr(holder, attribute)
        except (ImportError, AttributeError):
            return  # not in this sandbox, so nobody can call it
        if callable(original):
            setattr(holder, attribute, self._noting(name, original))

    def _noting(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            self._note(name)
            return original(*args, **kwargs)

        del noted.__wrapped__  # what it stands for is not within reach
        return noted

    def _wrap_launcher(self) -> None:
        """Triton launches through `run` of a compiled or an interpreted function."""
        for module, owner in (
            ("triton.runtime.jit", "JITFunction"),
            ("triton.runtime.interpreter", "InterpretedFunction"),
        ):
            try:
                kind = getattr(importlib.import_module(module), owner)
            except (ImportError, AttributeError):
                continue
            kind.run = self._noting_launch(kind.run)

    def _noting_launch(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def launched(function: Any, *args: Any, **kwargs: Any) -> Any:
            self._note(f"{LAUNCH}{getattr(getattr(function, 'fn', function), '__name__', 'kernel')}")
            self._note(f"{LAUNCH}launch")
            return original(function, *args, **kwargs)

        return launched


def _resolve(path: str) -> Any:
    """A module or a class by its dotted path."""
    parts = path.split(".")
    found: ModuleType = importlib.import_module(parts[0])
    for at, part in enumerate(parts[1:], 2):
        found = getattr(found, part, None) or importlib.import_module(".".join(parts[:at]))
    return found


def _dispatch_mode(note: Callable[[str], None]) -> AbstractContextManager[Any]:
    """A torch dispatch mode that tells each operator's name; made where torch is and not imported where it is not."""
    base = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode

    def dispatch(_: Any, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:  # noqa: ARG001
        note(str(func.name()).partition(".")[0])
        return func(*args, **(kwargs or {}))

    watching: AbstractContextManager[Any] = type("Watching", (base,), {"__torch_dispatch__": dispatch})()
    return watching
