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

import triton
import triton.language as tl


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
    PROGRAMS: tl.constexpr,  # noqa: ARG001 - for each multiprocessor: the grid is made of it
    STAGES: tl.constexpr,
    BAND: tl.constexpr,
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
    places = (first + word // WORDS) * (BAND * WORDS) + word % WORDS
    for block in tl.range(tl.program_id(0), tl.cdiv(n, ROWS), tl.num_programs(0), num_stages=STAGES):
        rows = block * ROWS + tl.arange(0, ROWS)
        # rows beyond the last read the last again, and are not stored: cheaper than a mask
        own = tl.minimum(rows, n - 1)
        start = packed + own // BAND * BAND * row_words + own % BAND * WORDS
        words = tl.load(start[:, None] + places[None, :], mask=there[None, :], other=0)
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


def instructions(bits: int) -> str:
    """PTX for `nibbles_plus`, two words at a time: their halves side by side, so that an AND with an OR makes two numbers.

    Compilers do this for each number alone, with three times the instructions.
    """
    lines = ["prmt.b32 low, $8, $9, 0x5410;", "prmt.b32 high, $8, $9, 0x7632;"]
    for j in range(8):
        half = "low" if j < 4 else "high"
        lines += [f"shr.u32 {half}, {half}, 4;"] if j % 4 else []
        lines += [f"lop3.b32 ${j}, {half}, 0x000F000F, 0x{bits:04X}{bits:04X}, 0xEA;"]  # (half & mask) | bits
    return "{ .reg .b32 low, high; " + " ".join(lines) + " }"


@triton.jit
def nibbles_plus(words: tl.tensor, BITS: tl.constexpr, PTX: tl.constexpr) -> tl.tensor:
    """The eight nibbles of each word under the bits BITS, as eight tiles of int16; by PTX where there is some."""
    if PTX != "":
        return tl.inline_asm_elementwise(
            PTX,
            "=r,=r,=r,=r,=r,=r,=r,=r,r,r",
            [words],
            dtype=(tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16),
            is_pure=True,
            pack=2,
        )
    else:  # noqa: RET505 - two compile-time branches
        return (
            ((words & 15) | BITS).to(tl.int16),
            (((words >> 4) & 15) | BITS).to(tl.int16),
            (((words >> 8) & 15) | BITS).to(tl.int16),
            (((words >> 12) & 15) | BITS).to(tl.int16),
            (((words >> 16) & 15) | BITS).to(tl.int16),
            (((words >> 20) & 15) | BITS).to(tl.int16),
            (((words >> 24) & 15) | BITS).to(tl.int16),
            (((words >> 28) & 15) | BITS).to(tl.int16),
        )


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
    BAND: tl.constexpr,
    PTX: tl.constexpr,
) -> None:
    """Part `program_id(2)` of ROWS results of TOKENS tokens in y (parts, m, n): each nibble of a group's words is a product of its own.

    The product is yᵀ = w xᵀ, whose left operand the tensor cores take from registers; nothing unpacked is written anywhere.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    word = tl.arange(0, WORDS)
    # rows and tokens beyond the last read the last again, and their results are not stored: no mask in the loop
    own = tl.minimum(rows, n - 1)
    at = packed + (own // BAND * BAND * row_words + own % BAND * WORDS)[:, None] + word[None, :]
    inputs = x + tl.minimum(tokens, m - 1)[None, :] * k + word[:, None]
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    for group in tl.range(tl.program_id(2), k // (8 * WORDS), PARTS, num_stages=STAGES):
        codes = nibbles_plus(tl.load(at + group * (BAND * WORDS)), BITS, PTX)
        both = tl.load(affine + group * n + own)
        zero = (half_of(both, 16, HALF) + OFFSET).to(HALF)[:, None]
        part = tl.zeros((ROWS, TOKENS), tl.float32)
        for j in tl.static_range(8):
            # c + q and c + z are integers that the type holds, so their difference is exact
            weights = codes[j].to(HALF, bitcast=True) - zero
            part = tl.dot(weights, tl.load(inputs + group * (8 * WORDS) + j * WORDS), part)
        total += half_of(both, 0, HALF)[:, None] * part
    out = y + (tl.program_id(2) * m + tokens.to(tl.int64))[None, :] * n + rows[:, None]
    tl.store(out, total.to(y.dtype.element_ty), mask=(rows < n)[:, None] & (tokens < m)[None, :])
