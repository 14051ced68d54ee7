"""What a serving engine is judged by: how long until the first token, how long between tokens, and how well its memory is used.

Idea      A reader waits for the first token and then reads at some speed; the two are measured apart, because a batch that is good for
          one is bad for the other.
Equation  time to first token = first - arrived;   time per token = (last - first) / (tokens - 1)
Paper     Y. Zhong et al., "DistServe", OSDI 2024, section 2 (TTFT and TPOT); G.-I. Yu et al., "Orca", OSDI 2022 (normalized latency).
Cost      A few numbers a request; of finished requests the newest are kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import quantiles

KEPT = 10_000


@dataclass
class Times:
    """A request's moments in seconds of the engine's clock, and its tokens, of all outputs together."""

    arrived: float
    admitted: float | None = None
    first: float | None = None
    last: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    longest_output: int = 0

    def note(self, now: float, place: int) -> None:
        """A token has come, the `place`-th of its output."""
        self.first, self.last = now if self.first is None else self.first, now
        self.output_tokens += 1
        self.longest_output = max(self.longest_output, place)

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from arrival to the first token; None before it."""
        return None if self.first is None else self.first - self.arrived

    @property
    def time_per_token(self) -> float | None:
        """Mean seconds from one token to the next, of the longest output; None before there are two."""
        if self.first is None or self.last is None or self.longest_output < 2:
            return None
        return (self.last - self.first) / (self.longest_output - 1)


@dataclass
class Metrics:
    """Of an engine, now and since it began. Shares are of 1, times in seconds."""

    waiting: int = 0
    running: int = 0
    swapped: int = 0
    cache_use: float = 0.0  # the part of the device's blocks that a sequence refers to
    prefix_hit_rate: float = 0.0  # the part of prompts' tokens that was there already
    steps: int = 0
    computed_tokens: int = 0
    output_tokens: int = 0
    rounds: int = 0  # steps of an output with drafted tokens
    drafted_tokens: int = 0
    accepted_tokens: int = 0  # of the drafted ones
    preemptions: dict[str, int] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)  # outputs, by reason
    requests: deque[Times] = field(default_factory=lambda: deque(maxlen=KEPT))  # finished ones

    @property
    def accepted_length(self) -> float:
        """Drafted tokens that a round keeps, on average; it adds one more. Zero without rounds."""
        return self.accepted_tokens / max(1, self.rounds)

    def percentiles(self, name: str) -> tuple[float, float, float]:
        """The 50th, 90th and 99th percentile of `time_to_first_token` or `time_per_token` of finished requests; zeros without any."""
        seen = [value for times in self.requests if (value := getattr(times, name)) is not None]
        if len(seen) < 2:
            return (seen[0],) * 3 if seen else (0.0, 0.0, 0.0)
        cuts = quantiles(seen, n=100, method="inclusive")
        return cuts[49], cuts[89], cuts[98]
