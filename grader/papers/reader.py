"""One PDF open behind the walls: asks its driver for facts and pixels, and believes only what has the right shape.

Whatever a PDF does to its reader, too much time, memory or output, a crash, an answer that makes no sense, is a property of the PDF:
a `Refusal` with a sentence. Walls that cannot be built, or a reader that cannot even be loaded, are ours: `GraderFault` or
`SandboxUnavailable`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import numpy as np

from ..contract import Refusal, Verdict
from ..judge.channel import Channel, StudentFault
from ..judge.scoring import GraderFault
from ..sandbox.base import Limits, Sandbox
from . import facts

PACKAGES = ("numpy", "pypdfium2")
DRIVER = Path(__file__).with_name("driver.py")
LIMITS = Limits(wall_s=30.0, load_s=30.0, cpu_s=20.0, memory_mb=512, processes=16, disk_mb=1, output_kb=16)
TOGETHER_S = 50.0  # for everything that is asked of one PDF
MOST_MB, MOST_PAGES, MOST_FONTS, MOST_LINES = 32, 120, 400, 15_000
DRAW_S = 12.0  # for one picture, without which the findings stand all the same
IDLE = 0.5  # of the processor's time: who used less in all of the clock's time was waiting for the machine

REFUSED = {
    "password": (
        "The PDF is protected by a password, so its format was not looked at, and graders cannot open it. "
        "Save it without a password and hand it in again."
    ),
    "security": (
        "The PDF is encrypted in a way that nothing here can read, so its format was not looked at. "
        "Save it without encryption and hand it in again."
    ),
    "format": (
        "The file is damaged or is no PDF, so its format was not looked at, and graders may not be able to open it. "
        "Export it again, open it once yourself, and hand it in again."
    ),
    "page": (
        "A page of the PDF is damaged, so its format was not looked at, and graders may see less than you wrote. "
        "Export it again, look at all of its pages, and hand it in again."
    ),
    "empty": "The PDF has no pages. Export it again and hand it in again.",
}
AGAIN = "so its format was not looked at. Export it again with simpler figures, and hand it in again."
T = TypeVar("T")


class PaperReader:
    """A context in which one PDF is open. Ends its sandbox when it is left."""

    def __init__(self, sandbox: Sandbox, data: bytes, should_stop: Callable[[], bool]) -> None:
        self._sandbox, self._data, self._should_stop = sandbox, data, should_stop
        self._until = time.monotonic() + TOGETHER_S

    def __enter__(self) -> Self:
        self._walled = self._sandbox.open(LIMITS, PACKAGES)
        try:
            self._channel = Channel(self._walled, LIMITS, self._should_stop)
            self._load()
        except BaseException:
            self._walled.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._walled.close()

    def open(self) -> facts.Document:
        """Send the PDF in and learn what it is; raises `Refusal`."""
        document = self._believe(self._ask("open_paper", data=np.frombuffer(self._data, np.uint8)), facts.Document)
        if document.pages == 0:
            raise Refusal(REFUSED["empty"])
        if document.pages > MOST_PAGES:
            raise Refusal(
                f"The PDF has {document.pages:,} pages, and at most {MOST_PAGES} are looked at, so its format was not. "
                "Hand in a shorter one if that is not what you meant."
            )
        return document

    def pages(self, count: int) -> list[facts.Page]:
        """The facts of all pages; raises `Refusal`."""
        pages, fonts, lines = [], set[str](), 0
        for number in range(1, count + 1):
            page = self._believe(self._ask("read_page", number=number), facts.Page)
            fonts |= {font.name for font in page.fonts}
            lines += len(page.lines)
            if len(fonts) > MOST_FONTS or lines > MOST_LINES:
                raise Refusal(
                    f"The PDF uses more than {MOST_FONTS} fonts or {MOST_LINES:,} lines of text, so its format was not looked at. "
                    "Export it again from one document."
                )
            pages.append(page)
        return pages

    def picture(self, page: int, longest: int) -> np.ndarray:
        """A page's pixels (height, width, 3), uint8, at most `longest` a side; raises `Refusal`, and nothing can be asked after it."""
        answer = self._ask("draw_page", DRAW_S, number=page, longest=longest)
        if not _is_picture(answer, longest):
            raise _not_believed("a picture of another kind or size")
        pixels: np.ndarray = answer
        return pixels

    def _load(self) -> None:
        source = DRIVER.read_text(encoding="utf-8")
        try:
            self._channel.ask({"op": "load", "driver": source, "cells": [], "watched": []}, LIMITS.load_s)
        except StudentFault as fault:  # nothing of the PDF is there yet
            raise GraderFault(f"the reader of PDFs could not be loaded: {fault}") from fault

    def _ask(self, function: str, wall_s: float = LIMITS.wall_s, **arguments: Any) -> Any:
        wall_s = min(wall_s, self._until - time.monotonic())
        try:
            answer = self._channel.ask({"op": "call", "function": function, "arguments": arguments}, max(wall_s, 0.1))
        except StudentFault as fault:
            raise self._told(fault) from fault
        if isinstance(answer, dict) and "refused" in answer:
            raise Refusal(REFUSED.get(str(answer["refused"]), REFUSED["format"]))
        return answer

    def _told(self, fault: StudentFault) -> Refusal | GraderFault:
        """What a limit or a crash means for the authors."""
        if fault.verdict is Verdict.TIME_LIMIT:
            used = self._walled.usage().cpu_s
            if used < IDLE * LIMITS.cpu_s:
                return GraderFault(f"a PDF was waited for in vain, whose reader worked for {used:.1f} s: {fault}")
            return Refusal(f"Reading the PDF takes too long (more than {LIMITS.cpu_s:g} s), {AGAIN}")
        if fault.verdict is Verdict.MEMORY_LIMIT:
            return Refusal(f"Reading the PDF takes more than {LIMITS.memory_mb} MB of memory, {AGAIN}")
        return _not_believed(f"{fault.verdict}: {fault} {fault.staff_note}")

    def _believe(self, answer: Any, kind: type[T]) -> T:
        try:
            return msgspec.convert(answer, kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise _not_believed(str(error)) from error


class UnreadablePaper(Refusal):
    """A PDF that broke its reader, or made it say what cannot be true. `note` is for staff."""

    def __init__(self, note: str) -> None:
        super().__init__(
            "The PDF could not be read: it broke the program that reads it, so its format was not looked at. "
            "Export it again, with another program if it happens again, and hand it in again."
        )
        self.note = note


def _is_picture(answer: Any, longest: int) -> bool:
    if not isinstance(answer, np.ndarray) or answer.dtype != np.uint8 or answer.ndim != 3 or answer.shape[2] != 3:
        return False
    return answer.size > 0 and max(answer.shape[:2]) <= longest


def _not_believed(what: str) -> UnreadablePaper:
    return UnreadablePaper(what[:500])
