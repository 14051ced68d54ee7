"""One conversation with a sandbox: a request goes in, the answer and everything printed come out, under the judge's own clock.

The three pipes are served together, so that a flood on one cannot block another; what is printed beyond the limit is read and dropped.
"""

from __future__ import annotations

import codecs
import os
import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..contract import Verdict
from ..inside import wire
from ..sandbox.base import Limits, Walled

HELD = "This check could not be scored; course staff will look at it."
TICK_S = 0.05
MAX_ANSWER = 64 << 20
FLOOD = 16 << 20  # beyond the cut output, how much is still read and dropped before the run is ended


class StudentFault(Exception):  # noqa: N818 - a fault of the code under check, carried to its verdict
    """The student's code did not answer as it should: a verdict and a sentence for the student."""

    def __init__(self, verdict: Verdict, message: str, *, unwritten: bool = False) -> None:
        super().__init__(message)
        self.verdict, self.unwritten = verdict, unwritten


class Stopped(Exception):  # noqa: N818 - somebody asked for it
    """The job was cancelled, or its lease was lost, while the student's code ran."""


@dataclass
class _Output:
    """What the student printed, up to a limit."""

    limit: int
    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> None:
        room = max(0, self.limit - len(self.kept))
        self.kept += data[:room]
        self.dropped += len(data) - min(room, len(data))

    def text(self) -> str:
        text = codecs.decode(bytes(self.kept), "utf-8", "replace").replace("\x00", "\ufffd")
        return f"{text}\n[cut: {self.dropped:,} more bytes]" if self.dropped else text


class Channel:
    """Requests and answers over a sandbox's pipes."""

    def __init__(self, walled: Walled, limits: Limits, should_stop: Callable[[], bool]) -> None:
        self._walled, self._limits, self._should_stop = walled, limits, should_stop
        self._stdin, self._stdout, self._stderr = walled.stdin, walled.stdout, walled.stderr
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._output = _Output(limits.output_kb << 10)
        self._received = bytearray()
        self._printing = True
        self.seen: dict[str, str] = {}  # watched operations that the last request's code called, and where
        self.alive = True

    def take_output(self) -> str:
        """What was printed since the last call."""
        if self._printing:
            self._drain(self._stderr)
        text, self._output = self._output.text(), _Output(self._limits.output_kb << 10)
        return text

    def ask(self, message: dict[str, Any], wall_s: float) -> Any:
        """Send a request and return the answer's value; raises `StudentFault`, after which the sandbox is spent unless it answered."""
        self.seen = {}
        answer = self._exchange(memoryview(wire.pack(message)), wall_s)
        self.seen = _texts(answer.get("witness"))
        if answer.get("ok") is True:
            return answer.get("value")
        if self._walled.usage().hit_process_limit:
            count = self._limits.processes
            raise StudentFault(
                Verdict.PROCESS_LIMIT, f"Started more than {count} processes or threads. {_sentence(answer)}"
            )
        raise StudentFault(Verdict.ERROR, _sentence(answer), unwritten=_is_stub(answer))

    def _exchange(self, request: memoryview, wall_s: float) -> dict[str, Any]:
        started = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stdout, selectors.EVENT_READ)
            if self._printing:
                selector.register(self._stderr, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(TICK_S):
                    request = self._serve(selector, key.fd, request)
                answer = self._answer()
                if answer is not None:
                    return answer
                self._enforce(time.monotonic() - started, wall_s)

    def _serve(self, selector: selectors.BaseSelector, descriptor: int, request: memoryview) -> memoryview:
        if descriptor == self._stdin:
            with suppress(BlockingIOError, BrokenPipeError):
                request = request[os.write(descriptor, request[: 1 << 16]) :]
            if not request:
                selector.unregister(descriptor)
            return request
        if descriptor == self._stderr:
            if not self._drain(descriptor):
                self._printing = False
                selector.unregister(descriptor)
            return request
        data = os.read(descriptor, 1 << 20)
        if not data:
            self._fail_at_end()
        self._received += data
        return request

    def _drain(self, descriptor: int) -> bool:
        """Read what is there, at most 1 MiB; False at the end of the stream."""
        for _ in range(16):
            try:
                data = os.read(descriptor, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._output.add(data)
        return True

    def _answer(self) -> dict[str, Any] | None:
        """The frame that has arrived whole, if one has."""
        size = wire.PREFIX.size
        if len(self._received) < size:
            return None
        try:
            head, body = wire.prefix_lengths(bytes(self._received[:size]), max_body=MAX_ANSWER)
            if len(self._received) < size + head + body:
                return None
            frame, self._received = (
                bytes(self._received[size : size + head + body]),
                self._received[size + head + body :],
            )
            return wire.unpack(frame[:head], frame[head:])
        except wire.WireError as error:
            raise self._end(Verdict.TAMPERED, HELD) from error

    def _enforce(self, elapsed: float, wall_s: float) -> None:
        """The limits that hold while an answer is awaited."""
        if self._should_stop():
            self.alive = False
            raise Stopped
        usage = self._walled.usage()
        if usage.hit_memory_limit:
            raise self._memory_fault()
        if usage.cpu_s > self._limits.cpu_s:
            raise self._end(Verdict.TIME_LIMIT, f"Stopped after {usage.cpu_s:.1f} s of {self._limits.cpu_s:g} s (CPU).")
        if self._output.dropped > FLOOD:
            raise self._end(Verdict.OUTPUT_LIMIT, f"Printed more than {FLOOD >> 20} MB; the rest was dropped.")
        if elapsed > wall_s:
            raise self._end(Verdict.TIME_LIMIT, f"Stopped after {elapsed:.1f} s of {wall_s:g} s (wall clock).")

    def _fail_at_end(self) -> None:
        """The process closed its pipe without an answer: say why, by what the kernel knows."""
        usage = self._walled.usage()
        status = self._walled.wait(2.0)
        if usage.hit_memory_limit:
            raise self._memory_fault()
        if usage.cpu_s > self._limits.cpu_s or status in {24, 152}:
            raise self._end(Verdict.TIME_LIMIT, f"Stopped after {usage.cpu_s:.1f} s of {self._limits.cpu_s:g} s (CPU).")
        raise self._end(Verdict.ERROR, f"Your code {_exit_words(status)} before finishing this check.")

    def _memory_fault(self) -> StudentFault:
        return self._end(Verdict.MEMORY_LIMIT, f"Used more than {self._limits.memory_mb} MB of memory.")

    def _end(self, verdict: Verdict, message: str) -> StudentFault:
        self.alive = False
        return StudentFault(verdict, message)


def _sentence(answer: dict[str, Any]) -> str:
    """The student's exception in one line; every part of it is text that they chose, and is treated as such."""
    kind, message, where = (str(answer.get(part, ""))[:400] for part in ("type", "message", "where"))
    if kind == "Result":
        return f"Your code {message}."
    if _is_stub(answer):
        return f"Not written yet: {where} raises NotImplementedError." if where else "Not written yet."
    said = f"{kind}: {message}" if message else kind
    return f"{said} at {where}" if where else said


def _texts(value: Any) -> dict[str, str]:
    """What the witness says, as far as it is text."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name)[:200]: str(place)[:200] for name, place in pairs}


def _is_stub(answer: dict[str, Any]) -> bool:
    """Whether it was the stub of a student version that answered: no mistake of the student's yet."""
    return answer.get("type") == "NotImplementedError" and not answer.get("message")


def _exit_words(status: int | None) -> str:
    if status is None:
        return "closed its connection"
    return f"was ended by signal {status - 128}" if status > 128 else f"exited with status {status}"
