"""Data parallel training that keeps each number on one rank only. Read `flat`, `sharded`, `unit`, `engine`, then `cost`."""

from __future__ import annotations

from mlsys_core.parallelism.zero.cost import held_bytes, memory_cost, volume_cost
from mlsys_core.parallelism.zero.engine import Zero, gpt_units

__all__ = ["Zero", "gpt_units", "held_bytes", "memory_cost", "volume_cost"]
