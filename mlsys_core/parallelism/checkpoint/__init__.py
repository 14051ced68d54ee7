"""Checkpoints that outlive the layout which wrote them: each rank saves what it holds, any other layout loads it, bit for bit.

`layout` says who holds what, `files` writes and reads without trust, `reshape` brings the two together.
"""

from __future__ import annotations

from mlsys_core.parallelism.checkpoint.adam import adam_states, restore
from mlsys_core.parallelism.checkpoint.files import CheckpointError
from mlsys_core.parallelism.checkpoint.layout import Layout, Piece, Shapes, split_axis
from mlsys_core.parallelism.checkpoint.reshape import RankState, load, save, split

__all__ = [
    "CheckpointError",
    "Layout",
    "Piece",
    "RankState",
    "Shapes",
    "adam_states",
    "load",
    "restore",
    "save",
    "split",
    "split_axis",
]
