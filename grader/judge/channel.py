"""One conversation with a sandbox: a request goes in, the answer and everything printed come out, under the judge's own clock.

The three pipes are served together, so that a flood on one cannot block another; what is printed beyond the limit is read and dropped.
"""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..contract import Verdict
from ..inside import wire
from ..sandbox.base import Limits, SandboxUnavailable, Walled
from .prints import Prints
from .sentences import cleaned, exit_words, is_stub, verdict_of, witnessed

HELD = "This check could not be scored; course staff will look at it."
TICK_S = 0.05
END_S = 2.0  # how long a process may take to end after it closed its pipe
FLOOD = 16 << 20  # beyond the cut output, how much is still read and dropped before the run is ended


class StudentFault(Exception):  # noqa: N818 - a fault of the code under check, carried to its verdict
    """The student's code did not answer as it should: a verdict and a sentence for the student, and what only staff are told."""

    def __init__(self, verdict: Verdict, message: str, *, unwritten: bool = False, staff_note: str = "") -> None:
        super().__init__(message)
        self.verdict, self.unwritten, self.staff_note = verdict, unwritten, staff_note


class Stopped(Exception):  # noqa: N818 - somebody asked for it
    """The job was cancelled, or its lease was lost, while the student's code ran."""


class Channel:
    """Requests and answers over a sandbox's pipes."""

    def __init__(self, walled: Walled, limits: Limits, should_stop: Callable[[], bool]) -> None:
        self._walled, self._limits, self._should_stop = walled, limits, should_stop
        self._stdin, self._stdout, self._stderr = walled.stdin, walled.stdout, walled.stderr
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._prints = Prints(self._stderr, limits.output_kb << 10)
        self._received = bytearray()
        self._id = 0
        self.seen: dict[str, str] = {}  # watched operations that the last request's code called, and where
        self.alive = True

    def take_output(self) -> str:
        """What was printed since the last call."""
        return self._prints.take()

    def ask(self, message: dict[str, Any], wall_s: float, spent_s: float = 0.0) -> Any:
        """Send a request and return the answer's value; raises `StudentFault`, after which the sandbox is spent unless it answered.

        `spent_s` of the `wall_s` were spent by requests before this one.
        """
        self.seen = {}
        self._refuse_what_nobody_asked_for()
        self._id = secrets.randbits(52)  # so that no answer can be given before its question
        self._prints.expect(self._id)
        refused_before = self._walled.usage().refused_processes
        answer = self._exchange(memoryview(wire.pack(message | {"id": self._id})), wall_s, spent_s)
        self._prints.settle()
        self.seen = witnessed(answer.get("witness"))
        if answer.get("ok") is True:
            return answer.get("value")
        refused = self._walled.usage().refused_processes > refused_before
        raise StudentFault(*verdict_of(answer, self._limits, refused_processes=refused), unwritten=is_stub(answer))

    def _refuse_what_nobody_asked_for(self) -> None:
        """Bytes on the answers' pipe while nothing is asked are not the program's that answers."""
        with suppress(BlockingIOError):
            self._received += os.read(self._stdout, 1 << 16)
        if self._received:
            raise self._tampered("bytes came while nothing was asked")

    def _exchange(self, request: memoryview, wall_s: float, spent_s: float) -> dict[str, Any]:
        started = time.monotonic() - spent_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stdout, selectors.EVENT_READ)
            if self._prints.open:
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
            try:
                request = request[os.write(descriptor, request[: 1 << 16]) :]
            except BlockingIOError:
                return request
            except BrokenPipeError:  # nobody there reads requests any more
                self._fail_at_end()
            if not request:
                selector.unregister(descriptor)
            return request
        if descriptor == self._stderr:
            if not self._prints.drain():
                selector.unregister(descriptor)
            return request
        data = os.read(descriptor, 1 << 20)
        if not data:
            self._fail_at_end()
        self._received += data
        return request

    def _answer(self) -> dict[str, Any] | None:
        """The frame that has arrived whole, if one has."""
        size = wire.PREFIX.size
        if len(self._received) < size:
            return None
        try:
            head, body = wire.prefix_lengths(bytes(self._received[:size]))
            end = size + head + body
            if len(self._received) < end:
                return None
            frame = bytes(self._received[size:end])
            del self._received[:end]
            answer = wire.unpack(frame[:head], frame[head:])
        except wire.WireError as error:
            raise self._tampered(str(error)) from error
        if answer.get("id") != self._id or self._received:
            raise self._tampered("an answer that was not the one to the question")
        clean: dict[str, Any] = cleaned(answer)
        return clean

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
        if self._prints.dropped > FLOOD:
            raise self._end(Verdict.OUTPUT_LIMIT, f"Printed more than {FLOOD >> 20} MB; the rest was dropped.")
        if elapsed > wall_s:
            raise self._end(Verdict.TIME_LIMIT, f"Stopped after {elapsed:.1f} s of {wall_s:g} s (wall clock).")

    def _fail_at_end(self) -> None:
        """The process closed its pipe without an answer: say why, by what the kernel knows."""
        usage = self._walled.usage()
        status = self._walled.wait(END_S)
        if usage.hit_memory_limit:
            raise self._memory_fault()
        if usage.cpu_s > self._limits.cpu_s or status in {24, 152}:
            raise self._end(Verdict.TIME_LIMIT, f"Stopped after {usage.cpu_s:.1f} s of {self._limits.cpu_s:g} s (CPU).")
        if status is None and not self._walled.is_alive():
            self.alive = False
            raise SandboxUnavailable(
                "a run ended, and nobody knows how: its sandbox was ended from outside, or does not answer"
            )
        if status == 128 + signal.SIGXFSZ:
            raise self._end(Verdict.DISK_LIMIT, f"Wrote a file of more than {self._limits.disk_mb} MB.")
        raise self._end(Verdict.ERROR, f"Your code {exit_words(status)} before finishing this check.")

    def _memory_fault(self) -> StudentFault:
        return self._end(Verdict.MEMORY_LIMIT, f"Used more than {self._limits.memory_mb} MB of memory.")

    def _tampered(self, what: str) -> StudentFault:
        return self._end(Verdict.TAMPERED, HELD, staff_note=f"On the pipe of answers: {what}.")

    def _end(self, verdict: Verdict, message: str, *, staff_note: str = "") -> StudentFault:
        self.alive = False
        return StudentFault(verdict, message, staff_note=staff_note)
