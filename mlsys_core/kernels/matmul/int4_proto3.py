from __future__ import annotations
import torch, triton
import triton.language as tl
from mlsys_core.kernels.matmul.int4_proto2 import sixteen_plus, half_of, HALVES, OFFSETS, asm_of, nibbles


@triton.jit
def stay3(
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
    STAGES: tl.constexpr,
    BAND: tl.constexpr,
    ASM: tl.constexpr,
):
    word = tl.arange(0, GROUPS * WORDS)
    group = tl.arange(0, GROUPS)
    inputs = x + word // WORDS * (8 * WORDS) + word % WORDS
    x0 = tl.load(inputs).to(tl.float32)
    x1 = tl.load(inputs + WORDS).to(tl.float32)
    x2 = tl.load(inputs + 2 * WORDS).to(tl.float32)
    x3 = tl.load(inputs + 3 * WORDS).to(tl.float32)
    x4 = tl.load(inputs + 4 * WORDS).to(tl.float32)
    x5 = tl.load(inputs + 5 * WORDS).to(tl.float32)
    x6 = tl.load(inputs + 6 * WORDS).to(tl.float32)
    x7 = tl.load(inputs + 7 * WORDS).to(tl.float32)
    sums = tl.sum(tl.reshape(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, (GROUPS, WORDS)), 1)
    for block in tl.range(tl.program_id(0), tl.cdiv(n, ROWS), PROGRAMS, num_stages=STAGES):
        rows = block * ROWS + tl.arange(0, ROWS)
        own = tl.minimum(rows, n - 1)
        start = own // BAND * (BAND * row_words) + own % BAND * WORDS
        w = tl.load(packed + start[:, None] + (word // WORDS * (WORDS * BAND) + word % WORDS)[None, :])
        both = tl.load(affine + group[None, :] * n + own[:, None])
        part = sixteen_plus(w, 0, ASM) * x0[None]
        part += sixteen_plus(w, 4, ASM) * x1[None]
        part += sixteen_plus(w, 8, ASM) * x2[None]
        part += sixteen_plus(w, 12, ASM) * x3[None]
        part += sixteen_plus(w, 16, ASM) * x4[None]
        part += sixteen_plus(w, 20, ASM) * x5[None]
        part += sixteen_plus(w, 24, ASM) * x6[None]
        part += sixteen_plus(w, 28, ASM) * x7[None]
        by_group = tl.sum(tl.reshape(part, (ROWS, GROUPS, WORDS)), 2)
        scale, zero = half_of(both, 0, HALF), half_of(both, 16, HALF)
        total = scale * (by_group - (zero + 16.0) * sums[None])
        tl.store(y + rows, tl.sum(total, 1).to(y.dtype.element_ty), mask=rows < n)


def stay(x, packed, affine, rows=8, warps=8, per=2, stages=1, band=1, asm=True):
    k, n = x.shape[-1], packed.shape[0]
    number = k // 128
    y = torch.empty(1, n, dtype=x.dtype, device=x.device)
    programs = min(132 * per, triton.cdiv(n, rows))
    stay3[(programs,)](
        x,
        packed,
        affine.view(torch.int32),
        y,
        n,
        number,
        packed.shape[1],
        HALF=HALVES[x.dtype],
        WORDS=16,
        ROWS=rows,
        GROUPS=number,
        PROGRAMS=programs,
        STAGES=stages,
        BAND=band,
        ASM=asm,
        num_warps=warps,
    )
    return y


@triton.jit
def few3(
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
    BAND: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    word = tl.arange(0, WORDS)
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    own = tl.minimum(rows, n - 1)
    start = own // BAND * (BAND * row_words) + own % BAND * WORDS
    at = packed + start[:, None] + word[None, :]
    inputs = x + tl.minimum(tokens, m - 1)[None, :] * k + word[:, None]
    for group in tl.range(tl.program_id(2), k // (8 * WORDS), SPLIT, num_stages=STAGES):
        words = tl.load(at + group * (WORDS * BAND))
        both = tl.load(affine + group * n + own)
        q = nibbles(words, HALF, BITS, ASM)
        scale, zero = half_of(both, 0, HALF), (half_of(both, 16, HALF) + OFFSET).to(HALF)
        part = tl.zeros((ROWS, TOKENS), tl.float32)
        for j in tl.static_range(8):
            part = tl.dot(
                q[j].to(HALF, bitcast=True) - zero[:, None], tl.load(inputs + group * (8 * WORDS) + j * WORDS), part
            )
        total += scale[:, None] * part
    out = y + (tl.program_id(2) * m + tokens)[None, :] * n + rows[:, None]
    tl.store(out, total.to(y.dtype.element_ty), mask=(rows < n)[:, None] & (tokens < m)[None, :])


def few(x, packed, affine, rows=64, tokens=16, warps=4, split=1, stages=4, asm=True, band=1):
    (m, k), n = x.shape, packed.shape[0]
    number = affine.shape[0]
    y = torch.empty(split, m, n, dtype=x.dtype if split == 1 else torch.float32, device=x.device)
    bits, offset = OFFSETS[x.dtype]
    few3[(triton.cdiv(n, rows), triton.cdiv(m, tokens), split)](
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
        BAND=band,
        num_warps=warps,
    )
    return y[0] if split == 1 else y.sum(0).to(x.dtype)
