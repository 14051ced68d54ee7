"""Products with weights of four bits that become numbers only in registers: for one token, and for a few.

Idea      A decode step reads every weight once and computes little with it, so its time is the weights' bytes. Four bits a weight read a
          quarter of what 16 bits do, if turning nibbles into numbers does not take the time again. A float whose mantissa ends in the
          nibble's bits is the nibble plus a constant: one AND and one OR make it, without a conversion.
Equation  y[n] = Σ_g s[g, n] (Σ_{k of g} (c + q[n, k]) x[k] − (c + z[g, n]) Σ_{k of g} x[k]), c the constant
Paper     E. Frantar et al., "MARLIN: mixed-precision auto-regressive parallel inference on large language models", arXiv 2408.11743;
          Y. J. Kim et al., "Who says elephants can't run", arXiv 2211.10017, section 3 (numbers by an OR).
Cost      `gemv_cost` and `few_cost`: n k / 2 bytes of weights and 4 n k / group of scales and zeros, once for each tile of tokens.

One token has no use for tensor cores: they would multiply 15 rows of nothing. `gemv_kernel` multiplies in float32. A program keeps its
part of x in registers and takes rows of weights, each thread 16 bytes of each, so that it computes nothing twice.
For more tokens `few_kernel` gives the tensor cores tiles of weights as their left operand, from registers.
Both may share k among programs, whose partial sums `split_k.join_kernel` adds up in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors
from mlsys_core.kernels.matmul.split_k import BLOCK, join_kernel
from mlsys_core.kernels.matmul.tiles import Cost

# a 16-bit float's bits and value to which a nibble in its last four bits is added
OFFSETS = {torch.float16: (0x6400, 1024.0), torch.bfloat16: (0x4300, 128.0)}
HALVES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
GROUPS = 64  # at most, of a program of gemv_kernel


@triton.jit
def sixteen_plus(words: tl.tensor, AT: tl.constexpr, sixteen: tl.tensor) -> tl.tensor:
    """16 + the nibble at bit AT of 32-bit words, as float32: its bits are moved to the top of a mantissa, under the exponent of 16."""
    moved = words << (19 - AT) if AT <= 19 else words >> (AT - 19)
    return ((moved & 0x780000) | sixteen).to(tl.float32, bitcast=True)


@triton.jit
def half_of(words: tl.tensor, AT: tl.constexpr, HALF: tl.constexpr) -> tl.tensor:
    """The 16-bit float at bit AT of words, in float32."""
    return (words >> AT).to(tl.int16).to(HALF, bitcast=True).to(tl.float32)


@triton.jit
def gemv_kernel(
    x: tl.tensor,
    packed: tl.tensor,
    affine: tl.tensor,
    y: tl.tensor,
    n: tl.tensor,
    groups: tl.tensor,
    row_words: tl.tensor,
    sixteen: tl.tensor,
    HALF: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    GROUPS: tl.constexpr,
    PROGRAMS: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """Part `program_id(1)` of the sums of rows of y (parts, n); packed in words of 8 codes, affine in words of a scale and a zero.

    `sixteen` holds the bits of 16.0: an instruction has room for one constant, so the other comes from a register.
    """
    word = tl.arange(0, GROUPS * WORDS)
    first = tl.program_id(1) * GROUPS
    there = word < (groups - first) * WORDS
    at = x + first * (8 * WORDS) + word // WORDS * (8 * WORDS) + word % WORDS
    x0 = tl.load(at, mask=there, other=0.0).to(tl.float32)
    x1 = tl.load(at + WORDS, mask=there, other=0.0).to(tl.float32)
    x2 = tl.load(at + 2 * WORDS, mask=there, other=0.0).to(tl.float32)
    x3 = tl.load(at + 3 * WORDS, mask=there, other=0.0).to(tl.float32)
    x4 = tl.load(at + 4 * WORDS, mask=there, other=0.0).to(tl.float32)
    x5 = tl.load(at + 5 * WORDS, mask=there, other=0.0).to(tl.float32)
    x6 = tl.load(at + 6 * WORDS, mask=there, other=0.0).to(tl.float32)
    x7 = tl.load(at + 7 * WORDS, mask=there, other=0.0).to(tl.float32)
    sums = tl.sum(tl.reshape(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, (GROUPS, WORDS)), 1)[None, :]
    group = first + tl.arange(0, GROUPS)
    for block in tl.range(tl.program_id(0), tl.cdiv(n, ROWS), PROGRAMS, num_stages=STAGES):
        rows = block * ROWS + tl.arange(0, ROWS)
        # rows beyond the last read the last again, and are not stored: cheaper than a mask
        own = tl.minimum(rows, n - 1)
        start = packed + own.to(tl.int64)[:, None] * row_words
        words = tl.load(start + first * WORDS + word[None, :], mask=there[None, :], other=0)
        both = tl.load(affine + group[None, :] * n + own[:, None], mask=(group < groups)[None, :], other=0)
        part = sixteen_plus(words, 0, sixteen) * x0[None, :]
        part += sixteen_plus(words, 4, sixteen) * x1[None, :]
        part += sixteen_plus(words, 8, sixteen) * x2[None, :]
        part += sixteen_plus(words, 12, sixteen) * x3[None, :]
        part += sixteen_plus(words, 16, sixteen) * x4[None, :]
        part += sixteen_plus(words, 20, sixteen) * x5[None, :]
        part += sixteen_plus(words, 24, sixteen) * x6[None, :]
        part += sixteen_plus(words, 28, sixteen) * x7[None, :]
        part = tl.sum(tl.reshape(part, (ROWS, GROUPS, WORDS)), 2)
        total = half_of(both, 0, HALF) * (part - (half_of(both, 16, HALF) + 16.0) * sums)
        tl.store(y + tl.program_id(1) * n + rows, tl.sum(total, 1).to(y.dtype.element_ty), mask=rows < n)


@triton.jit
def nibble_plus(words: tl.tensor, AT: tl.constexpr, BITS: tl.constexpr, HALF: tl.constexpr) -> tl.tensor:
    """A constant + the nibble at bit AT, as a 16-bit float."""
    return (((words >> AT) & 15) | BITS).to(tl.int16).to(HALF, bitcast=True)


@triton.jit
def few_kernel(
    x: tl.tensor,
    packed: tl.tensor,
    affine: tl.tensor,
    y: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    row_words: tl.tensor,
    HALF: tl.constexpr,
    BITS: tl.constexpr,
    OFFSET: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
    PARTS: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """Part `program_id(2)` of ROWS results of TOKENS tokens in y (parts, m, n): each nibble of a group's words is a product of its own.

    The product is yᵀ = w xᵀ, whose left operand the tensor cores take from registers; nothing unpacked is written anywhere.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    word = tl.arange(0, WORDS)
    # rows and tokens beyond the last read the last again, and their results are not stored: no mask in the loop
    own = tl.minimum(rows, n - 1)
    at = packed + own.to(tl.int64)[:, None] * row_words + word[None, :]
    inputs = x + tl.minimum(tokens, m - 1)[None, :] * k + word[:, None]
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    for group in tl.range(tl.program_id(2), k // (8 * WORDS), PARTS, num_stages=STAGES):
        words = tl.load(at + group * WORDS)
        both = tl.load(affine + group * n + own)
        zero = (half_of(both, 16, HALF) + OFFSET).to(HALF)[:, None]
        part = tl.zeros((ROWS, TOKENS), tl.float32)
        for j in tl.static_range(8):
            # c + q and c + z are integers that the type holds, so their difference is exact
            weights = nibble_plus(words, 4 * j, BITS, HALF) - zero
            part = tl.dot(weights, tl.load(inputs + group * (8 * WORDS) + j * WORDS), part)
        total += half_of(both, 0, HALF)[:, None] * part
    out = y + (tl.program_id(2) * m + tokens.to(tl.int64))[None, :] * n + rows[:, None]
    tl.store(out, total.to(y.dtype.element_ty), mask=(rows < n)[:, None] & (tokens < m)[None, :])


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
        return Int4Tile(8)
    if m <= 16:
        return Int4Tile(64, 16, warps=2, stages=4)
    return Int4Tile(128, 32 if m <= 32 else 64, warps=8, stages=3)


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
