"""Products with weights of four bits, which become numbers only in registers: for one token, and for a few.

Idea      A decode step reads every weight once and computes little with it, so its time is the weights' bytes. Four bits a weight read
          a quarter of what 16 bits do. What remains is to turn nibbles into numbers without losing the time again. A float whose
          mantissa ends in the nibble's bits is the nibble plus a constant: one OR makes it, and no conversion is needed.
Equation  y[n] = Σ_g s[g, n] (Σ_{k of g} q[n, k] x[k] − z[g, n] Σ_{k of g} x[k])
Paper     E. Frantar, R. L. Castro, J. Chen, T. Hoefler, D. Alistarh, "MARLIN: mixed-precision auto-regressive parallel inference on large
          language models", arXiv 2408.11743, section 3; Y. J. Kim, R. Henry, R. Fahim, H. H. Awadalla, "Who says elephants can't run:
          bringing large scale MoE models into cloud scale production", arXiv 2211.10017, section 3 (numbers by an OR).
Cost      `int4_cost`: n k / 2 bytes of weights and 4 n k / group of scales and zeros, read once for each tile of tokens.

One token has no use for tensor cores, which would multiply 15 rows of nothing: `gemv_kernel` multiplies in float32 and adds up along
each thread's words. For more tokens `few_kernel` gives the tensor cores a tile of weights as the left operand, from registers.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED
from mlsys_core.kernels.matmul.tiles import Cost

# what two bits patterns are when a nibble stands in their last four bits: the constant plus the nibble
OFFSETS = {torch.float16: (0x6400, 1024.0), torch.bfloat16: (0x4300, 128.0)}


@triton.jit
def sixteen_plus(words: tl.tensor, AT: tl.constexpr) -> tl.tensor:
    """16 + the nibble at bit AT of 32-bit words, as float32: its bits are moved to the top of a mantissa, under the exponent of 16."""
    moved = words << (19 - AT) if AT <= 19 else words >> (AT - 19)
    return ((moved & 0x780000) | 0x41800000).to(tl.float32, bitcast=True)


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
    HALF: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    GROUPS: tl.constexpr,
    SPLIT: tl.constexpr,
) -> None:
    """ROWS results; packed as words of 8 nibbles, x as words of 4 numbers, affine as words of a scale and a zero.

    Byte c of word w of a group has the weights of x[4 w + c] and of x[4 w + c + half a group], so a thread's 16 bytes go with two
    runs of 16 numbers of x.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    live = rows < n
    word = tl.arange(0, WORDS)
    total = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
    for start in range(tl.program_id(1) * GROUPS, groups, GROUPS * SPLIT):
        group = start + tl.arange(0, GROUPS)
        within = group < groups
        mask = live[:, None] & within[None, :]
        at = rows.to(tl.int64)[:, None, None] * row_words + group[None, :, None] * WORDS + word[None, None, :]
        weights = tl.load(packed + at, mask=mask[:, :, None], other=0)
        both = tl.load(affine + group[None, :] * n + rows[:, None], mask=mask, other=0)
        inputs = x + group[:, None] * (2 * WORDS) + word[None, :]
        low = tl.load(inputs, mask=within[:, None], other=0)
        high = tl.load(inputs + WORDS, mask=within[:, None], other=0)
        part = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
        sums = tl.zeros((GROUPS, WORDS), tl.float32)
        for c in tl.static_range(4):
            first, second = half_of(low, 16 * c, HALF), half_of(high, 16 * c, HALF)
            part += sixteen_plus(weights, 8 * c) * first[None, :, :]
            part += sixteen_plus(weights, 8 * c + 4) * second[None, :, :]
            sums += first + second
        scale, zero = half_of(both, 0, HALF), half_of(both, 16, HALF)
        total += scale[:, :, None] * (part - (zero + 16.0)[:, :, None] * sums[None, :, :])
    result = tl.sum(tl.sum(total, 2), 1)
    if SPLIT == 1:
        tl.store(y + rows, result.to(y.dtype.element_ty), mask=live)
    else:
        tl.atomic_add(y + rows, result, mask=live, sem="relaxed")


@triton.jit
def few_kernel(
    x: tl.tensor,
    packed: tl.tensor,
    affine: tl.tensor,
    y: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    row_bytes: tl.tensor,
    HALF: tl.constexpr,
    BITS: tl.constexpr,
    OFFSET: tl.constexpr,
    BYTES: tl.constexpr,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
    SPLIT: tl.constexpr,
    STAGES: tl.constexpr,
    ASM: tl.constexpr,
) -> None:
    """yᵀ of ROWS results for TOKENS tokens: a group's BYTES bytes a row are the left operand of two products of the tensor cores."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    live, given = rows < n, tokens < m
    byte = tl.arange(0, BYTES)
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    none = tl.zeros((ROWS, TOKENS), tl.float32)
    for group in tl.range(tl.program_id(2), k // (2 * BYTES), SPLIT, num_stages=STAGES):
        at = rows.to(tl.int64)[:, None] * row_bytes + group * BYTES + byte[None, :]
        weights = tl.load(packed + at, mask=live[:, None], other=0)
        both = tl.load(affine + group * n + rows, mask=live, other=0)
        inputs = x + tokens[None, :] * k + group * (2 * BYTES) + byte[:, None]
        first = tl.load(inputs, mask=given[None, :], other=0.0)
        second = tl.load(inputs + BYTES, mask=given[None, :], other=0.0)
        if ASM:
            low, high = tl.inline_asm_elementwise(
                """
                {
                .reg .b32 a, b;
                prmt.b32 a, $4, 0, 0x4140;
                prmt.b32 b, $4, 0, 0x4342;
                lop3.b32 $0, a, 0x000F000F, 0x43004300, 0xEA;
                lop3.b32 $1, b, 0x000F000F, 0x43004300, 0xEA;
                shr.u32 a, a, 4;
                shr.u32 b, b, 4;
                lop3.b32 $2, a, 0x000F000F, 0x43004300, 0xEA;
                lop3.b32 $3, b, 0x000F000F, 0x43004300, 0xEA;
                }
                """,
                "=r,=r,=r,=r,r",
                [weights],
                dtype=(tl.int16, tl.int16),
                is_pure=True,
                pack=4,
            )
            low, high = low.to(HALF, bitcast=True), high.to(HALF, bitcast=True)
        else:
            wide = weights.to(tl.int16)
            low = ((wide & 15) | BITS).to(HALF, bitcast=True)
            high = ((wide >> 4) | BITS).to(HALF, bitcast=True)
        scale, zero = half_of(both, 0, HALF), (half_of(both, 16, HALF) + OFFSET).to(HALF)
        part = tl.dot(low - zero[:, None], first, none)
        part = tl.dot(high - zero[:, None], second, part)
        total += scale[:, None] * part
    out = y + tokens.to(tl.int64)[None, :] * n + rows[:, None]
    mask = live[:, None] & given[None, :]
    if SPLIT == 1:
        tl.store(out, total.to(y.dtype.element_ty), mask=mask)
    else:
        tl.atomic_add(out, total, mask=mask, sem="relaxed")


HALVES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


def gemv(x: Tensor, packed: Tensor, affine: Tensor, rows: int = 16, groups: int = 2, warps: int = 4, split: int = 1) -> Tensor:
    k, n = x.shape[-1], packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(1, n, dtype=x.dtype, device=x.device) if split == 1 else torch.zeros(1, n, device=x.device)
    gemv_kernel[(triton.cdiv(n, rows), split)](
        x.view(torch.int64), packed.view(torch.int32), affine.view(torch.int32), y, n, number, packed.shape[1] // 4,
        HALF=HALVES[x.dtype], WORDS=k // number // 8, ROWS=rows, GROUPS=groups, SPLIT=split, num_warps=warps,
    )
    return y


def few(x: Tensor, packed: Tensor, affine: Tensor, rows: int = 64, tokens: int = 16, warps: int = 4, split: int = 1, stages: int = 4, asm: bool = False) -> Tensor:
    (m, k), n = x.shape, packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(m, n, dtype=x.dtype, device=x.device) if split == 1 else torch.zeros(m, n, device=x.device)
    bits, offset = OFFSETS[x.dtype]
    few_kernel[(triton.cdiv(n, rows), triton.cdiv(m, tokens), split)](
        x, packed, affine.view(torch.int32), y, m, n, k, packed.shape[1],
        HALF=HALVES[x.dtype], BITS=bits, OFFSET=offset, BYTES=k // number // 2, ROWS=rows, TOKENS=tokens, SPLIT=split, STAGES=stages, ASM=asm, num_warps=warps,
    )
    return y
