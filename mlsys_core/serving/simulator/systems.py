"""The published systems, as settings of two schedulers and two memories.

Idea      They differ in two things: when a batch may change, and how room is given.
Equation  FasterTransformer: a batch of requests, room for the longest text;   Orca: a batch a step, room in one piece for the longest
          text (Max), for twice the output at most (Pow2), or for the true output (Oracle);   vLLM: a batch a step, room in blocks;
          chunked prefill: that, and at most so many tokens a step
Paper     G.-I. Yu et al., OSDI 2022; W. Kwon et al., SOSP 2023, section 6.1 (the three ways to reserve); A. Agrawal et al.,
          OSDI 2024 (chunked prefill).
Cost      None.
"""

from __future__ import annotations

from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.serving.simulator.engine import EngineBatching
from mlsys_core.serving.simulator.memory import BuddyMemory, PagedMemory, Reserve
from mlsys_core.serving.simulator.schedulers import ContinuousBatching
from mlsys_core.serving.simulator.static import StaticBatching


def reservation(kind: str, limit: int) -> Reserve:
    """Tokens to reserve for a request: `max`, `pow2` or `oracle`; never more than `limit`. Raises ValueError for another."""
    rules: dict[str, Reserve] = {
        "max": lambda request: limit,  # noqa: ARG005 - that is the point
        "pow2": lambda request: min(limit, request.prompt + (1 << (request.output - 1).bit_length())),
        "oracle": lambda request: request.total,
    }
    if kind not in rules:
        raise ValueError(f"There is no reservation called {kind!r}: give one of {', '.join(rules)}.")
    return rules[kind]


def faster_transformer(slots: int, *, limit: int = 2048, max_batch: int = 256) -> StaticBatching:
    """Batches of requests with room for the longest text each."""
    return StaticBatching(BuddyMemory(slots, reservation("max", limit)), max_batch)


def orca(slots: int, kind: str = "max", *, limit: int = 2048, max_batch: int = 256) -> ContinuousBatching:
    """A batch a step, room in one piece a request."""
    return ContinuousBatching(BuddyMemory(slots, reservation(kind, limit)), max_batch)


def vllm(slots: int, *, block: int = 16, max_batch: int = 256) -> ContinuousBatching:
    """A batch a step, room in blocks."""
    return ContinuousBatching(PagedMemory(slots, block), max_batch)


def chunked_prefill(slots: int, *, budget: int = 512, block: int = 16, max_batch: int = 256) -> EngineBatching:
    """A batch a step of at most `budget` tokens, so that long prompts are read in parts; room in blocks. The engine's scheduler."""
    return EngineBatching(slots, block, SchedulerConfig(token_budget=budget, max_sequences=max_batch))
