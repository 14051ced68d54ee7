"""Which tile for which shape, as measured on an H100.

Idea      The tile decides the speed and nothing else. A caller may give another one; docs/library/flash-attention-on-hopper.md has all
          that were timed. On a CPU, where the interpreter runs, tiles are small so that small tensors have several.
Equation  loaded bytes of the forward ∝ T / BM (cost.py), registers ∝ BM (D + BN): the tile trades one for the other.
Paper     J. Shah et al., "FlashAttention-3", NeurIPS 2024, section 3 (why softmax and products must overlap on Hopper).
Cost      None: a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """Queries and keys of a tile, and how a GPU is to run a program: warps, pipeline stages, registers a thread, warp roles."""

    rows: int
    columns: int
    warps: int = 4
    stages: int = 2
    registers: int | None = None
    roles: bool = False

    def options(self) -> dict[str, Any]:
        """What triton's launcher is told."""
        told = {"BM": self.rows, "BN": self.columns, "WS": self.roles, "num_warps": self.warps}
        return told | {"num_stages": self.stages, "maxnreg": self.registers}


def forward_tile(q: Tensor, keys: int, causal: bool) -> Tile:
    """The tile of the forward kernel for q (B, H, T, D) and so many keys."""
    d = q.shape[3]
    if q.device.type == "cpu":
        return Tile(32, 32)
    if q.dtype == torch.float32:
        return Tile(64, 32)
    if d <= 64:
        return Tile(64, 128)
    if d > 128:
        return Tile(64, 32)
    return Tile(64, 64, stages=3) if causal or keys < 4096 else Tile(128, 64, warps=8, registers=128)


def keys_tile(q: Tensor) -> Tile:
    """The tile of the kernel of dk and dv."""
    d = q.shape[3]
    if q.device.type == "cpu":
        return Tile(32, 32)
    if q.dtype == torch.float32:
        return Tile(32, 32, stages=1)
    if d <= 64:
        return Tile(128, 64)
    return Tile(64, 64) if d <= 128 else Tile(32, 64, warps=8, stages=1)


def queries_tile(q: Tensor, causal: bool) -> Tile:
    """The tile of the kernel of dq."""
    d = q.shape[3]
    if q.device.type == "cpu":
        return Tile(32, 32)
    if q.dtype == torch.float32:
        return Tile(32, 32, stages=1)
    if d <= 64:
        return Tile(64, 64) if causal else Tile(128, 64, warps=8, stages=3, registers=128)
    return Tile(128, 64, warps=8, stages=3) if d <= 128 else Tile(64, 32, warps=8, stages=1)
