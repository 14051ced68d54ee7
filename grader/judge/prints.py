"""What a student's code printed, up to a limit, and where the prints of one request end.

Answers and prints travel apart, and an engine's copies of the two need not arrive in order: an answer may overtake the line that was
printed before it. So the process inside writes a mark after the prints of each request, and the judge waits for it. A program that forges
or withholds the mark only moves its own lines.
"""

from __future__ import annotations

import codecs
import os
import select
import time
from dataclasses import dataclass, field

from ..inside.wire import end_of_prints

PATIENCE_S = 1.0  # how long a mark may follow its answer
READ = 1 << 16


@dataclass
class _Output:
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


class Prints:
    """The stream `descriptor` (which does not block) of one sandbox; of each request at most `limit` bytes are kept."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.open = True
        self._descriptor, self._limit = descriptor, limit
        self._output = _Output(limit)
        self._mark, self._held, self._ended, self._patient = b"", b"", True, True

    @property
    def dropped(self) -> int:
        """Bytes beyond the limit since the last `take`."""
        return self._output.dropped

    def expect(self, request: int) -> None:
        """What follows is printed by this request."""
        self._mark, self._ended = end_of_prints(request), False

    def drain(self) -> bool:
        """Read what is there, at most 1 MiB; False at the end of the stream."""
        for _ in range(16):
            try:
                data = os.read(self._descriptor, READ)
            except BlockingIOError:
                return True
            if not data:
                self.open = False
                return False
            self._add(data)
        return True

    def settle(self) -> None:
        """Read until the mark of the request, whose answer has come; at most `PATIENCE_S`, and not again after a mark stayed away."""
        until = time.monotonic() + (PATIENCE_S if self._patient else 0)
        while self.open and not self._ended and (left := until - time.monotonic()) > 0:
            select.select([self._descriptor], [], [], left)
            self.drain()
        self._patient = self._ended

    def take(self) -> str:
        """What was printed since the last call."""
        if self.open:
            self.drain()
        self._output.add(self._held)
        text, self._output, self._held = self._output.text(), _Output(self._limit), b""
        return text

    def _add(self, data: bytes) -> None:
        """Keep it without the mark, and hold back what may be the mark's beginning."""
        data = self._held + data
        if not self._ended and self._mark in data:
            data, self._ended, self._patient = data.replace(self._mark, b"", 1), True, True
        start = len(data) if self._ended else _beginning(data, self._mark)
        self._output.add(data[:start])
        self._held = data[start:]


def _beginning(data: bytes, mark: bytes) -> int:
    """Where the longest end of `data` starts with which `mark` begins; its length where there is none."""
    for size in range(min(len(data), len(mark) - 1), 0, -1):
        if data.endswith(mark[:size]):
            return len(data) - size
    return len(data)
