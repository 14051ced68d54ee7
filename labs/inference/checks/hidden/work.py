"""Task 8: operations and least bytes, and what tiles of a product load and take."""

from __future__ import annotations

import math
from typing import Any

Answer = dict[str, Any]
PEAK, BANDWIDTH, SHARED, STAGES = 312e12, 7.2e12, 163 << 10, 3  # as the notebook has them
TILES = [[m, n, k] for m in (16, 64, 128) for n in (64, 128, 256) for k in (32, 128)]


def matmul(m: int, n: int, k: int, element: int) -> tuple[float, float]:
    """(m × k)(k × n)."""
    return 2 * m * n * k, element * (m * k + k * n + m * n)


def prefill(*, batch: int, heads: int, kv_heads: int, n: int, head_dim: int, element: int) -> tuple[float, float]:
    """All pairs of n tokens: q, k, v and the output."""
    return 4 * batch * heads * n**2 * head_dim, element * 2 * batch * n * head_dim * (heads + kv_heads)


def decode(*, batch: int, heads: int, kv_heads: int, context: int, head_dim: int, element: int) -> tuple[float, float]:
    """One query a sequence."""
    moved = 2 * batch * head_dim * (heads + kv_heads * context)
    return 4 * batch * heads * context * head_dim, element * moved


def step(
    *,
    batch: int,
    context: int,
    layers: int,
    width: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    hidden: int,
    vocabulary: int,
    element: int,
) -> tuple[float, float]:
    """One token a sequence through a whole model: weights, keys and values."""
    matrices = [(width, (heads + 2 * kv_heads) * head_dim), (heads * head_dim, width), *[(width, hidden)] * 3]
    weights = layers * sum(math.prod(one) for one in matrices) + width * vocabulary
    flops = 2 * batch * weights + layers * 4 * batch * heads * context * head_dim
    return flops, element * (weights + layers * 2 * batch * context * kv_heads * head_dim)


def floor(work: tuple[float, float], peak: float, bandwidth: float) -> Answer:
    """Intensity, least seconds, and what decides."""
    compute, memory = work[0] / peak, work[1] / bandwidth
    bound = "compute" if compute >= memory else "memory"
    return {
        "flops": work[0],
        "bytes": work[1],
        "intensity": work[0] / work[1],
        "time_s": max(compute, memory),
        "bound": bound,
    }


def least_time(shape: list[int], tiles: list[int]) -> float:
    """Seconds that tiles take by the formulas of 8c; infinite for tiles that do not fit."""
    if STAGES * 2 * (tiles[0] + tiles[1]) * tiles[2] > SHARED:
        return math.inf
    (m, n, k), (block_m, block_n, _) = shape, tiles
    padded = math.prod(math.ceil(size / tile) * tile for size, tile in zip(shape, tiles, strict=True))
    loaded = 2 * k * (m * math.ceil(n / block_n) + n * math.ceil(m / block_m))
    return max(2 * padded / PEAK, loaded / BANDWIDTH)
