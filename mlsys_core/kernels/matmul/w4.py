"""proto"""

from __future__ import annotations
import torch, triton
import triton.language as tl


def pack_int4(q, group=128):
    """q (N,K) 0..15 -> (N,K/2) uint8; byte i of a group: low k=i, high k=i+group/2"""
    n, k = q.shape
    halves = q.to(torch.uint8).view(n, k // group, 2, group // 2)
    return (halves[:, :, 0] | halves[:, :, 1] << 4).reshape(n, k // 2)


@triton.jit
def nibble(packed, AT: tl.constexpr):
    if AT <= 19:
        bits = packed << (19 - AT)
    else:
        bits = packed >> (AT - 19)
    return ((bits & 0x780000) | 0x41800000).to(tl.float32, bitcast=True)  # 16 + q


@triton.jit
def gemv_kernel(
    x, w, scale, zero, y, n, k, ROWS: tl.constexpr, GROUPS: tl.constexpr, WORDS: tl.constexpr, SPLIT: tl.constexpr
):
    # w as int32 words, WORDS a group
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    live = row < n
    groups = k // (WORDS * 8)
    g0 = tl.arange(0, GROUPS)
    word = tl.arange(0, WORDS)
    total = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
    for start in range(tl.program_id(1) * GROUPS, groups, GROUPS * SPLIT):
        g = start + g0
        inside = g < groups
        both = live[:, None] & inside[None, :]
        packed = tl.load(
            w + row[:, None, None] * (k // 8) + g[None, :, None] * WORDS + word[None, None, :],
            mask=both[:, :, None],
            other=0,
        )
        s = tl.load(scale + row[:, None] * groups + g[None, :], mask=both, other=0.0).to(tl.float32)
        z = tl.load(zero + row[:, None] * groups + g[None, :], mask=both, other=0.0).to(tl.float32)
        at = x + g[:, None] * (WORDS * 8) + word[None, :] * 4
        part = tl.zeros((ROWS, GROUPS, WORDS), tl.float32)
        sums = tl.zeros((GROUPS, WORDS), tl.float32)
        for c in tl.static_range(4):
            for h in tl.static_range(2):
                xs = tl.load(at + (h * WORDS * 4 + c), mask=inside[:, None], other=0.0).to(tl.float32)
                sums += xs
                part += nibble(packed, 8 * c + 4 * h) * xs[None, :, :]
        total += s[:, :, None] * (part - (z[:, :, None] + 16.0) * sums[None, :, :])
    out = tl.sum(tl.sum(total, 2), 1)
    if SPLIT == 1:
        tl.store(y + row, out.to(y.dtype.element_ty), mask=live)
    else:
        tl.atomic_add(y + row, out, mask=live)


def gemv(x, w, scale, zero, rows=16, groups=2, warps=4, split=1, stages=1):
    n, k = w.shape[0], w.shape[1] * 2
    group = k // scale.shape[1]
    y = torch.empty(1, n, device=x.device, dtype=x.dtype) if split == 1 else torch.zeros(1, n, device=x.device)
    gemv_kernel[(triton.cdiv(n, rows), split)](
        x,
        w.view(torch.int32),
        scale,
        zero,
        y,
        n,
        k,
        ROWS=rows,
        GROUPS=groups,
        WORDS=group // 8,
        SPLIT=split,
        num_warps=warps,
    )
    return y


@triton.jit
def gemm_kernel(
    x,
    w,
    scale,
    zero,
    y,
    m,
    n,
    k,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
    HALF: tl.constexpr,
    SPLIT: tl.constexpr,
    ASM: tl.constexpr,
    STAGES: tl.constexpr,
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    token = tl.program_id(2) * TOKENS + tl.arange(0, TOKENS)
    live, given = row < n, token < m
    groups = k // (2 * HALF)
    byte = tl.arange(0, HALF)
    total = tl.zeros((ROWS, TOKENS), tl.float32)
    part0 = tl.zeros((ROWS, TOKENS), tl.float32)
    for g in tl.range(tl.program_id(1), groups, SPLIT, num_stages=STAGES):
        packed = tl.load(w + row[:, None] * (k // 2) + g * HALF + byte[None, :], mask=live[:, None], other=0)
        s = tl.load(scale + row * groups + g, mask=live, other=0.0).to(tl.float32)
        z = tl.load(zero + row * groups + g, mask=live, other=0.0)
        at = x + token[None, :] * k + g * (2 * HALF) + byte[:, None]
        low_x = tl.load(at, mask=given[None, :], other=0.0)
        high_x = tl.load(at + HALF, mask=given[None, :], other=0.0)
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
                [packed],
                dtype=(tl.bfloat16, tl.bfloat16),
                is_pure=True,
                pack=4,
            )
        else:
            wide = packed.to(tl.int16)
            low = ((wide & 15) | 0x4300).to(tl.bfloat16, bitcast=True)
            high = (((wide >> 4) & 15) | 0x4300).to(tl.bfloat16, bitcast=True)
        z = (z + 128.0).to(tl.bfloat16)
        part = tl.dot(low - z[:, None], low_x, part0)
        part = tl.dot(high - z[:, None], high_x, part)
        total += s[:, None] * part
    out = y + token[None, :] * n + row[:, None]
    mask = live[:, None] & given[None, :]
    if SPLIT == 1:
        tl.store(out, total.to(y.dtype.element_ty), mask=mask)
    else:
        tl.atomic_add(out, total, mask=mask)


def gemm(x, w, scale, zero, rows=64, tokens=16, warps=4, split=1, stages=3, asm=False):
    (m, k), n = x.shape, w.shape[0]
    group = k // scale.shape[1]
    y = torch.empty(m, n, device=x.device, dtype=x.dtype) if split == 1 else torch.zeros(m, n, device=x.device)
    gemm_kernel[(triton.cdiv(n, rows), split, triton.cdiv(m, tokens))](
        x,
        w,
        scale,
        zero,
        y,
        m,
        n,
        k,
        ROWS=rows,
        TOKENS=tokens,
        HALF=group // 2,
        SPLIT=split,
        ASM=asm,
        STAGES=stages,
        num_warps=warps,
        num_stages=stages,
    )
    return y
