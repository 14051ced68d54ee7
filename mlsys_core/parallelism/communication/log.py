"""What was sent, when, and how long it took by the model: the evidence that tests count and that pictures are drawn from.

Idea      Time is computed and not measured, so that a run on a laptop shows what a fabric would do, the same on every run.
Equation  A rank sends one message at a time and receives one at a time: left = max(now, out), out = left + α + β n;
          arrived = max(left, in) + α + β n, in = arrived.
Paper     R. W. Hockney, Parallel Computing 20(3), 1994; D. Culler et al., "LogP", PPoPP 1993 (one port a node).
Cost      One record a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True)
class Fabric:
    """A network: seconds a message (`alpha_s`) and seconds a byte (`beta_s`), between any two ranks.

    `Fabric(alpha_s=1, beta_s=0)` makes the clock count steps, `Fabric(alpha_s=0, beta_s=1)` bytes on the longest path.
    """

    alpha_s: float = 1.0
    beta_s: float = 0.0

    def seconds(self, source: int, to: int, size: int) -> float:  # noqa: ARG002 - fabrics with islands need both ends
        """How long `size` bytes take from one rank to another."""
        return self.alpha_s + self.beta_s * size


@dataclass(frozen=True)
class Message:
    """One message between two ranks of the whole world. `track` is `main`, or `beside` what is computed."""

    source: int
    to: int
    size: int
    label: str
    track: str
    left_at: float
    arrived_at: float


@dataclass(frozen=True)
class Span:
    """A stretch of computation of one rank, or (track `beside`) of a transfer that ran next to it."""

    rank: int
    name: str
    track: str
    begun_at: float
    ended_at: float


@dataclass
class Log:
    """Everything that happened in a run, in no particular order; times are the model's."""

    messages: list[Message] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, entry: Message | Span) -> None:
        """Keeps a record; ranks are threads."""
        with self._lock:
            if isinstance(entry, Message):
                self.messages.append(entry)
            else:
                self.spans.append(entry)

    @property
    def elapsed(self) -> float:
        """When the last rank ended: steps, seconds or bytes, by the fabric."""
        return max(self.ended_at, default=0.0)

    def sent_bytes(self, rank: int, label: str | None = None) -> int:
        """Bytes that left a rank, of all messages or of those with a label."""
        return sum(m.size for m in self.messages if m.source == rank and label in {None, m.label})

    def of(self, label: str) -> list[Message]:
        """Messages with a label, by the time they left."""
        return sorted((m for m in self.messages if m.label == label), key=lambda m: (m.left_at, m.source, m.to))
