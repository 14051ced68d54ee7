from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

OFFSETS = {torch.float16: (0x6400, 1024.0), torch.bfloat16: (0x4300, 128.0)}
HALVES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


def pack(q, group=128):
    n, k = q.shape
    v = q.to(torch.int64).view(n, k // group, 8, group // 8)
    words = sum(v[:, :, j] << (4 * j) for j in range(8))
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32).view(n, k // 8)


def asm_of(bits):
    magic = f"0x{bits:04X}{bits:04X}"
    out = "{\n.reg .b32 l, h;\nprmt.b32 l, $8, $9, 0x5410;\nprmt.b32 h, $8, $9, 0x7632;\n"
    for j in range(8):
        r = "lh"[j // 4]
        if j % 4:
            out += f"shr.u32 {r}, {r}, 4;\n"
        out += f"lop3.b32 ${j}, {r}, 0x000F000F, {magic}, 0xEA;\n"
    return out + "}"


@triton.jit
def sixteen_plus(words: tl.tensor, AT: tl.constexpr, ASM: tl.constexpr) -> tl.tensor:
    moved = words << (19 - AT) if AT <= 19 else words >> (AT - 19)
    if ASM:
        return tl.inline_asm_elementwise(
            "lop3.b32 $0, $1, 0x780000, 0x41800000, 0xEA;", "=r,r", [moved], dtype=tl.int32, is_pure=True, pack=1
        ).to(tl.float32, bitcast=True)
    else:
        return ((moved & 0x780000) | 0x41800000).to(tl.float32, bitcast=True)


@triton.jit
def half_of(words: tl.tensor, AT: tl.constexpr, HALF: tl.constexpr) -> tl.tensor:
    return (words >> AT).to(tl.int16).to(HALF, bitcast=True).to(tl.float32)


@triton.jit
def gemv_kernel(
    x,
    packed,
    affine,
    y,
    n,
    groups,
    row_words,
    HALF: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    GROUPS: tl.constexpr,
    SPLIT: tl.constexpr,
    ASM: tl.constexpr,
    EVEN: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    rows = tl.minimum(rows, n - 1)
    word = tl.arange(0, WORDS)
    total = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
    for start in range(tl.program_id(1) * GROUPS, groups, GROUPS * SPLIT):
        group = start + tl.arange(0, GROUPS)
        at = rows[:, None, None] * row_words + group[None, :, None] * WORDS + word[None, None, :]
        inputs = x + group[:, None] * (8 * WORDS) + word[None, :]
        if EVEN:
            weights = tl.load(packed + at)
            both = tl.load(affine + group[None, :] * n + rows[:, None])
        else:
            within = group < groups
            weights = tl.load(packed + at, mask=within[None, :, None], other=0)
            both = tl.load(affine + group[None, :] * n + rows[:, None], mask=within[None, :], other=0)
        part = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
        sums = tl.zeros((GROUPS, WORDS), tl.float32)
        for j in tl.static_range(8):
            one = (
                tl.load(inputs + j * WORDS) if EVEN else tl.load(inputs + j * WORDS, mask=within[:, None], other=0.0)
            ).to(tl.float32)
            part += sixteen_plus(weights, 4 * j, ASM) * one[None, :, :]
            sums += one
        scale, zero = half_of(both, 0, HALF), half_of(both, 16, HALF)
        total += scale[:, :, None] * (part - (zero + 16.0)[:, :, None] * sums[None, :, :])
    result = tl.sum(tl.sum(total, 2), 1)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    if SPLIT == 1:
        tl.store(y + rows, result.to(y.dtype.element_ty), mask=rows < n)
    else:
        tl.atomic_add(y + rows, result, mask=rows < n, sem="relaxed")


@triton.jit
def nibbles(words: tl.tensor, HALF: tl.constexpr, BITS: tl.constexpr, ASM: tl.constexpr) -> tl.tensor:
    if ASM != "":
        q = tl.inline_asm_elementwise(
            ASM,
            "=r,=r,=r,=r,=r,=r,=r,=r,r,r",
            [words],
            dtype=(tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16, tl.int16),
            is_pure=True,
            pack=2,
        )
        return q
    else:
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
    x,
    packed,
    affine,
    y,
    m,
    n,
    k,
    row_words,
    HALF: tl.constexpr,
    BITS: tl.constexpr,
    OFFSET: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
    SPLIT: tl.constexpr,
    STAGES: tl.constexpr,
    ASM: tl.constexpr,
    SUB: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    word = tl.arange(0, WORDS)
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    none = tl.zeros((ROWS, TOKENS), tl.float32)
    own = tl.minimum(rows, n - 1)
    at = packed + own[:, None] * row_words + word[None, :]
    inputs = x + tl.minimum(tokens, m - 1)[None, :] * k + word[:, None]
    for group in tl.range(tl.program_id(2), k // (8 * WORDS), SPLIT, num_stages=STAGES):
        words = tl.load(at + group * WORDS)
        both = tl.load(affine + group * n + own)
        q = nibbles(words, HALF, BITS, ASM)
        scale, zero = half_of(both, 0, HALF), (half_of(both, 16, HALF) + OFFSET).to(HALF)
        part = none
        for j in tl.static_range(8):
            tile = q[j].to(HALF, bitcast=True)
            if SUB:
                tile = tile - zero[:, None]
            part = tl.dot(tile, tl.load(inputs + group * (8 * WORDS) + j * WORDS), part)
        total += scale[:, None] * part
    out = y + tokens.to(tl.int64)[None, :] * n + rows[:, None]
    mask = (rows < n)[:, None] & (tokens < m)[None, :]
    if SPLIT == 1:
        tl.store(out, total.to(y.dtype.element_ty), mask=mask)
    else:
        tl.atomic_add(out, total, mask=mask, sem="relaxed")


def gemv(x, packed, affine, rows=16, groups=2, warps=4, split=1, asm=True):
    k, n = x.shape[-1], packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(1, n, dtype=x.dtype, device=x.device) if split == 1 else torch.zeros(1, n, device=x.device)
    gemv_kernel[(triton.cdiv(n, rows), split)](
        x,
        packed,
        affine.view(torch.int32),
        y,
        n,
        number,
        packed.shape[1],
        HALF=HALVES[x.dtype],
        WORDS=k // number // 8,
        ROWS=rows,
        GROUPS=groups,
        SPLIT=split,
        ASM=asm,
        EVEN=number % (groups * split) == 0,
        num_warps=warps,
    )
    return y


def few(x, packed, affine, rows=64, tokens=16, warps=4, split=1, stages=4, asm=True, sub=True):
    (m, k), n = x.shape, packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(m, n, dtype=x.dtype, device=x.device) if split == 1 else torch.zeros(m, n, device=x.device)
    bits, offset = OFFSETS[x.dtype]
    few_kernel[(triton.cdiv(n, rows), triton.cdiv(m, tokens), split)](
        x,
        packed,
        affine.view(torch.int32),
        y,
        m,
        n,
        k,
        packed.shape[1],
        HALF=HALVES[x.dtype],
        BITS=bits,
        OFFSET=offset,
        WORDS=k // number // 8,
        ROWS=rows,
        TOKENS=tokens,
        SPLIT=split,
        STAGES=stages,
        ASM=asm_of(bits) if asm else "",
        SUB=sub,
        num_warps=warps,
    )
    return y


@triton.jit
def stay_kernel(
    x,
    packed,
    affine,
    y,
    n,
    groups,
    row_words,
    HALF: tl.constexpr,
    WORDS: tl.constexpr,
    ROWS: tl.constexpr,
    GROUPS: tl.constexpr,
    PROGRAMS: tl.constexpr,
    ASM: tl.constexpr,
    STAGES: tl.constexpr,
):
    """k = GROUPS*WORDS*8 exactly; x stays in registers"""
    word = tl.arange(0, WORDS)
    group = tl.arange(0, GROUPS)
    inputs = x + group[:, None] * (8 * WORDS) + word[None, :]
    x0 = tl.load(inputs).to(tl.float32)
    x1 = tl.load(inputs + WORDS).to(tl.float32)
    x2 = tl.load(inputs + 2 * WORDS).to(tl.float32)
    x3 = tl.load(inputs + 3 * WORDS).to(tl.float32)
    x4 = tl.load(inputs + 4 * WORDS).to(tl.float32)
    x5 = tl.load(inputs + 5 * WORDS).to(tl.float32)
    x6 = tl.load(inputs + 6 * WORDS).to(tl.float32)
    x7 = tl.load(inputs + 7 * WORDS).to(tl.float32)
    sums = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7
    for block in tl.range(tl.program_id(0), tl.cdiv(n, ROWS), PROGRAMS, num_stages=STAGES):
        rows = block * ROWS + tl.arange(0, ROWS)
        own = tl.minimum(rows, n - 1)
        w = tl.load(packed + own[:, None, None] * row_words + group[None, :, None] * WORDS + word[None, None, :])
        both = tl.load(affine + group[None, :] * n + own[:, None])
        part = sixteen_plus(w, 0, ASM) * x0[None]
        part += sixteen_plus(w, 4, ASM) * x1[None]
        part += sixteen_plus(w, 8, ASM) * x2[None]
        part += sixteen_plus(w, 12, ASM) * x3[None]
        part += sixteen_plus(w, 16, ASM) * x4[None]
        part += sixteen_plus(w, 20, ASM) * x5[None]
        part += sixteen_plus(w, 24, ASM) * x6[None]
        part += sixteen_plus(w, 28, ASM) * x7[None]
        scale, zero = half_of(both, 0, HALF), half_of(both, 16, HALF)
        total = scale * (tl.sum(part, 2) - (zero + 16.0) * tl.sum(sums, 1)[None, :])
        tl.store(y + rows, tl.sum(total, 1).to(y.dtype.element_ty), mask=rows < n)


def stay(x, packed, affine, rows=8, warps=8, per=2, asm=False, stages=1):
    k, n = x.shape[-1], packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(1, n, dtype=x.dtype, device=x.device)
    programs = min(132 * per, triton.cdiv(n, rows))
    stay_kernel[(programs,)](
        x,
        packed,
        affine.view(torch.int32),
        y,
        n,
        number,
        packed.shape[1],
        HALF=HALVES[x.dtype],
        WORDS=k // number // 8,
        ROWS=rows,
        GROUPS=number,
        PROGRAMS=programs,
        ASM=asm,
        STAGES=stages,
        num_warps=warps,
    )
    return y
