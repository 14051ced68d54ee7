"""A forward attention kernel in blocks, for the meter to count what it reads. Sizes are multiples of the blocks."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def attention(q_ptr, k_ptr, v_ptr, out_ptr, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    width = tl.arange(0, D)
    q = tl.load(q_ptr + rows[:, None] * D + width[None, :])
    top = tl.full((BM,), float("-inf"), tl.float32)
    weight = tl.zeros((BM,), tl.float32)
    out = tl.zeros((BM, D), tl.float32)
    for start in range(0, n, BN):
        columns = start + tl.arange(0, BN)
        k = tl.load(k_ptr + columns[:, None] * D + width[None, :])
        v = tl.load(v_ptr + columns[:, None] * D + width[None, :])
        scores = tl.dot(q, tl.trans(k)) * scale
        higher = tl.maximum(top, tl.max(scores, 1))
        shares = tl.exp(scores - higher[:, None])
        shrink = tl.exp(top - higher)
        weight = weight * shrink + tl.sum(shares, 1)
        out = out * shrink[:, None] + tl.dot(shares, v)
        top = higher
    tl.store(out_ptr + rows[:, None] * D + width[None, :], out / weight[:, None])
