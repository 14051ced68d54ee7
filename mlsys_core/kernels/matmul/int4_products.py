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
from triton import Config

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors, tuned
from mlsys_core.kernels.matmul.int4 import BAND
from mlsys_core.kernels.matmul.int4_kernels import few_kernel, gemv_kernel, instructions
from mlsys_core.kernels.matmul.split_k import BLOCK, join_kernel
from mlsys_core.kernels.matmul.tiles import Cost

# a 16-bit float's bits and value to which a nibble in its last four bits is added
OFFSETS = {torch.float16: (0x6400, 1024.0), torch.bfloat16: (0x4300, 128.0)}
HALVES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
GROUPS = 64  # at most, of a program of gemv_kernel
SIXTEEN = 0x41800000  # the bits of 16.0


@dataclass(frozen=True)
class Int4Tile:
    """Meta-parameters: `rows` results at a time for `tokens` tokens; `stages` in flight, and programs for each multiprocessor (gemv)."""

    rows: int
    tokens: int = 1
    warps: int = 8
    stages: int = 1
    programs: int = 3

    def config(self) -> Config:
        """As triton wants it."""
        named = {"ROWS": self.rows, "STAGES": self.stages}
        return Config(named | ({"PROGRAMS": self.programs} if self.tokens == 1 else {}), num_warps=self.warps)


# the first is what the interpreter takes
GEMV_TILES = [Int4Tile(16)] * INTERPRETED + [
    Int4Tile(rows, 1, 8, stages, programs)
    for rows, stages, programs in ((4, 3, 3), (2, 3, 4), (8, 3, 3), (8, 2, 2), (16, 2, 2), (4, 2, 4))
]
FEW_TILES = [Int4Tile(16, 16)] * INTERPRETED + [
    Int4Tile(rows, 16, warps, stages) for rows, warps, stages in ((128, 4, 4), (128, 4, 3), (128, 4, 2), (64, 2, 4))
]
GEMV = tuned([tile.config() for tile in GEMV_TILES], key=["n", "groups"])(gemv_kernel)
FEW = tuned([tile.config() for tile in FEW_TILES], key=["n", "k", "TOKENS"])(few_kernel)


def gemv_product(x: Tensor, packed: Tensor, affine: Tensor, tile: Int4Tile | None = None, parts: int = 1) -> Tensor:
    """x (1, k) contiguous by weights of n rows -> (1, n). `parts` of k is at least what GROUPS asks for; without a tile it is tuned."""
    (groups, n, _), k = affine.shape, x.shape[1]
    together = min(GROUPS, triton.next_power_of_2(triton.cdiv(groups, parts)))
    parts = triton.cdiv(groups, together)
    y, multi = _room(x, parts, n), multiprocessors(x.device)
    kernel, told = (GEMV, {}) if tile is None else (gemv_kernel, tile.config().all_kwargs())
    kernel[lambda meta: (min(meta["PROGRAMS"] * multi, triton.cdiv(n, meta["ROWS"])), parts)](
        x,
        packed.view(torch.int32),
        affine.view(torch.int32),
        y,
        n,
        groups,
        k // 8,
        SIXTEEN,
        HALF=HALVES[x.dtype],
        WORDS=k // groups // 8,
        GROUPS=together,
        BAND=BAND,
        **told,
    )
    return _joined(y, x)


def few_product(x: Tensor, packed: Tensor, affine: Tensor, tile: Int4Tile | None = None, parts: int = 1) -> Tensor:
    """x (m, k) contiguous by weights of n rows in groups of 128 or more -> (m, n), k in `parts`; without a tile it is tuned."""
    (groups, n, _), (m, k) = affine.shape, x.shape
    bits, offset = OFFSETS[x.dtype]
    y, tokens = _room(x, parts, n), tile.tokens if tile else usual_tokens(m)
    kernel, told = (FEW, {}) if tile is None else (few_kernel, tile.config().all_kwargs())
    kernel[lambda meta: (triton.cdiv(n, meta["ROWS"]), triton.cdiv(m, tokens), parts)](
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
        TOKENS=tokens,
        PARTS=parts,
        BAND=BAND,
        PTX="" if INTERPRETED else instructions(bits),
        **told,
    )
    return _joined(y, x)


def usual_tokens(m: int) -> int:
    """Tokens of a tile: all of up to 64, so that weights are read and unpacked once; the tensor cores want 16 at least."""
    return int(min(64, max(16, triton.next_power_of_2(m))))


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
