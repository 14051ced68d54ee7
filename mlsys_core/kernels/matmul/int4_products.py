"""Launches of the kernels of four bits: their tiles, their parts, and what they move.

Idea      A product of one token is a walk over rows of weights, of a few tokens a walk along k for a block of rows. Where k is long, or the
          rows are few, several programs share k, and their sums are added up in order.
Equation  y = Σ_parts x[:, K_p] w[:, K_p]ᵀ
Paper     see int4_kernels.py
Cost      `gemv_cost` and `few_cost`
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors
from mlsys_core.kernels.matmul.int4 import BAND
from mlsys_core.kernels.matmul.int4_kernels import few_kernel, gemv_kernel, instructions
from mlsys_core.kernels.matmul.split_k import BLOCK, join_kernel
from mlsys_core.kernels.matmul.tiles import Cost

# a 16-bit float's bits and value to which a nibble in its last four bits is added
OFFSETS = {torch.float16: (0x6400, 1024.0), torch.bfloat16: (0x4300, 128.0)}
HALVES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
GROUPS = 64  # at most, of a program of gemv_kernel


@dataclass(frozen=True)
class Int4Tile:
    """Meta-parameters: `rows` results at a time for `tokens` tokens; `stages` in flight, and programs for each multiprocessor (gemv)."""

    rows: int
    tokens: int = 1
    warps: int = 8
    stages: int = 1
    programs: int = 3


def usual_int4_tile(m: int) -> Int4Tile:
    """The tile for m tokens; in the interpreter a small one. See the page for what was measured."""
    if INTERPRETED:
        return Int4Tile(16) if m == 1 else Int4Tile(16, 16)
    if m == 1:
        return Int4Tile(8, stages=3)
    tokens = 16 if m <= 16 else 32 if m <= 32 else 64
    return Int4Tile(128, tokens, warps=4, stages=4 if tokens < 64 else 3)


def gemv_product(x: Tensor, packed: Tensor, affine: Tensor, tile: Int4Tile | None = None, parts: int = 1) -> Tensor:
    """x (1, k) contiguous by weights of n rows -> (1, n). `parts` of k is at least what GROUPS asks for."""
    (groups, n, _), k = affine.shape, x.shape[1]
    tile = tile or usual_int4_tile(1)
    together = min(GROUPS, triton.next_power_of_2(triton.cdiv(groups, parts)))
    parts = triton.cdiv(groups, together)
    programs = min(tile.programs * multiprocessors(x.device), triton.cdiv(n, tile.rows))
    y = _room(x, parts, n)
    gemv_kernel[(programs, parts)](
        x,
        packed.view(torch.int32),
        affine.view(torch.int32),
        y,
        n,
        groups,
        k // 8,
        0x41800000,
        HALF=HALVES[x.dtype],
        WORDS=k // groups // 8,
        ROWS=tile.rows,
        GROUPS=together,
        PROGRAMS=programs,
        STAGES=tile.stages,
        BAND=BAND,
        num_warps=tile.warps,
    )
    return _joined(y, x)


def few_product(x: Tensor, packed: Tensor, affine: Tensor, tile: Int4Tile | None = None, parts: int = 1) -> Tensor:
    """x (m, k) contiguous by weights of n rows in groups of 128 or more -> (m, n), k in `parts`."""
    (groups, n, _), (m, k) = affine.shape, x.shape
    tile, (bits, offset) = tile or usual_int4_tile(max(m, 2)), OFFSETS[x.dtype]
    y = _room(x, parts, n)
    few_kernel[(triton.cdiv(n, tile.rows), triton.cdiv(m, tile.tokens), parts)](
        x,
        packed.view(torch.int32),
        affine.view(torch.int32),
        y,
        m,
        n,
        k,
        k // 8,
        HALF=HALVES[x.dtype],
        BITS=bits,
        OFFSET=offset,
        WORDS=k // groups // 8,
        ROWS=tile.rows,
        TOKENS=tile.tokens,
        PARTS=parts,
        STAGES=tile.stages,
        BAND=BAND,
        PTX="" if INTERPRETED else instructions(bits),
        num_warps=tile.warps,
    )
    return _joined(y, x)


def _room(x: Tensor, parts: int, n: int) -> Tensor:
    """For the results, or for their parts in float32."""
    return torch.empty((parts, len(x), n), dtype=x.dtype if parts == 1 else torch.float32, device=x.device)


def _joined(y: Tensor, x: Tensor) -> Tensor:
    """The parts added up in order."""
    if len(y) == 1:
        return y[0]
    joined = torch.empty(y.shape[1:], dtype=x.dtype, device=x.device)
    count, n = joined.numel(), joined.shape[1]
    join_kernel[(triton.cdiv(count, BLOCK),)](y, y, joined, count, n, len(y), False, "none", BLOCK)  # noqa: FBT003
    return joined


def gemv_cost(n: int, k: int, tile: Int4Tile, programs: int, group: int = 128) -> Cost:
    """`gemv_kernel` in one part: x for each of the `programs`, weights with their scales for whole blocks of rows. No tl.dot."""
    rows = triton.cdiv(n, tile.rows) * tile.rows
    return Cost(2 * k * programs + rows * (k // 2 + 4 * k // group), 2 * n, 0)


def few_cost(m: int, n: int, k: int, tile: Int4Tile, group: int = 128) -> Cost:
    """`few_kernel` in one part: weights once for each tile of tokens, x once for each tile of rows, both in whole tiles."""
    down, across = triton.cdiv(n, tile.rows), triton.cdiv(m, tile.tokens)
    weights = down * tile.rows * (k // 2 + 4 * k // group)
    flops = 2 * down * tile.rows * across * tile.tokens * k
    return Cost(across * weights + 2 * down * across * tile.tokens * k, 2 * m * n, flops)
