"""Sequence parallelism: ranks share the positions of a sequence, and attention spans them.

Read `placement`, then `blocks`, `ring` and `ulysses`.
"""

from __future__ import annotations

from mlsys_core.parallelism.sequence.gpt import SequenceParallel
from mlsys_core.parallelism.sequence.placement import Placement, contiguous, zigzag
from mlsys_core.parallelism.sequence.ring import hidden_length, ring_attention, ring_attention_cost
from mlsys_core.parallelism.sequence.ulysses import ulysses_attention, ulysses_cost

__all__ = [
    "Placement",
    "SequenceParallel",
    "contiguous",
    "hidden_length",
    "ring_attention",
    "ring_attention_cost",
    "ulysses_attention",
    "ulysses_cost",
    "zigzag",
]
