"""Attention in one pass over the keys: no score ever travels to memory.

Idea      A program holds a block of queries. It walks over tiles of keys and values with a running maximum and a running sum; when the
          maximum rises, what was added before is shrunk. Tiles that no query of the block may read are not visited.
Equation  m' = max(m, max_j s_j)    l' = l 2^(m - m') + Σ_j 2^(s_j - m')    o' = o 2^(m - m') + Σ_j 2^(s_j - m') v_j
          with s = q·k scale log2(e);    O = o / l;    LSE = (m + log2 l) ln 2
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, algorithm 3;
          T. Dao, "FlashAttention-2", ICLR 2024, algorithm 1.
Cost      `attention_bytes` and `attention_flops` (cost.py), exactly.
"""

from __future__ import annotations

import triton
import triton.language as tl

from mlsys_core.kernels.attention.tiles import allowed, load_tile, sequence, span, store_tile


@triton.jit
def _walk(
    state: tl.tensor,
    q: tl.tensor,
    k_source: tl.tensor,
    v_source: tl.tensor,
    begin: tl.tensor,
    edge: tl.tensor,
    end: tl.tensor,
    order: tl.tensor,
    labels: tl.tensor,
    labels_k: tl.tensor,
    place: tl.tensor,
    rows: tl.tensor,
    lengths: tl.tensor,
    band: tl.tensor,
    k_steps: tl.tensor,
    v_steps: tl.tensor,
    scale: tl.tensor,
    D: tl.constexpr,
    WIDE: tl.constexpr,
    BN: tl.constexpr,
    MASKED: tl.constexpr,
    LEFT: tl.constexpr,
    RIGHT: tl.constexpr,
    LIST: tl.constexpr,
    LABELS: tl.constexpr,
    TMA: tl.constexpr,
    WS: tl.constexpr,
) -> tl.tensor:
    """The online softmax over tiles begin … end, or over those that `order` names."""
    acc, total, top = state
    batch, head, base = place
    for i in tl.range(begin, end, warp_specialize=WS):
        tile = i
        if LIST:
            tile = tl.load(order + i)
        first = tile * BN
        k = load_tile(
            k_source, batch, head, base, first, lengths[1], k_steps[0], k_steps[1], k_steps[2], D, WIDE, BN, TMA
        )
        s = tl.dot(q, k.T, input_precision="ieee")
        if MASKED:
            columns = first + tl.arange(0, BN)
            ok = allowed(rows[:, None], columns[None, :], lengths[0], lengths[1], band[0], band[1], LEFT, RIGHT)
            if LABELS:
                ok = ok & (labels[:, None] == tl.load(labels_k + columns, mask=columns < lengths[1], other=-1)[None, :])
            if WS:
                ok = ok | (i < edge)
            s = tl.where(ok, s, float("-inf"))
        higher = tl.maximum(top, tl.max(s, 1) * scale)
        level = higher
        if MASKED:  # a row without any key so far: -inf minus -inf is no number
            level = tl.where(higher == float("-inf"), 0.0, higher)
        p = tl.exp2(s * scale - level[:, None])
        shrink = tl.exp2(top - level)
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None]
        v = load_tile(
            v_source, batch, head, base, first, lengths[1], v_steps[0], v_steps[1], v_steps[2], D, WIDE, BN, TMA
        )
        acc = tl.dot(p.to(v.dtype), v, acc, input_precision="ieee")
        top = higher
    return acc, total, top


@triton.jit
def attention_forward(
    q_source: tl.tensor,
    k_source: tl.tensor,
    v_source: tl.tensor,
    out: tl.tensor,
    lse: tl.tensor,
    cu_q: tl.tensor,
    cu_k: tl.tensor,
    count: tl.tensor,
    order: tl.tensor,
    labels_q: tl.tensor,
    labels_k: tl.tensor,
    q_steps: tl.tensor,
    k_steps: tl.tensor,
    v_steps: tl.tensor,
    out_steps: tl.tensor,
    t: tl.tensor,
    s: tl.tensor,
    left: tl.tensor,
    right: tl.tensor,
    scale: tl.tensor,  # times log2(e)
    heads: tl.tensor,
    D: tl.constexpr,
    WIDE: tl.constexpr,
    GROUP: tl.constexpr,
    LEFT: tl.constexpr,
    RIGHT: tl.constexpr,
    VARLEN: tl.constexpr,
    LIST: tl.constexpr,
    LABELS: tl.constexpr,
    EVEN: tl.constexpr,
    TMA: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    WS: tl.constexpr,
) -> None:
    """One block of queries of one head; grid (blocks, Hq, B). The last blocks, which have most to do when causal, go first."""
    block = tl.num_programs(0) - 1 - tl.program_id(0)
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    base_q, mine = sequence(cu_q, batch, t, VARLEN)
    base_k, keys = sequence(cu_k, batch, s, VARLEN)
    first = block * BM
    if VARLEN:
        if first >= mine:
            return
        batch = batch * 0
    rows = first + tl.arange(0, BM)
    q = load_tile(q_source, batch, head, base_q, first, mine, q_steps[0], q_steps[1], q_steps[2], D, WIDE, BM, TMA)
    state = (
        tl.zeros((BM, WIDE), tl.float32),
        tl.zeros((BM,), tl.float32),
        tl.full((BM,), float("-inf"), tl.float32),
    )
    labels = rows
    if LABELS:
        labels = tl.load(labels_q + rows, mask=rows < mine, other=-2)
    place = (batch, head // GROUP, base_k)
    if LIST:
        order += block * tl.cdiv(s, BN)
        begin, inside, outside = 0, 0, tl.load(count + 2 * block)
        end = outside + tl.load(count + 2 * block + 1)
    else:
        begin, inside, outside, end = span(first + keys - mine, BM, keys, left, right, LEFT, RIGHT, BN)
    if LEFT and not LIST:
        state = _walk(
            state, q, k_source, v_source, begin, begin, inside, order, labels, labels_k, place, rows, (mine, keys),
            (left, right), k_steps, v_steps, scale, D, WIDE, BN, True, LEFT, RIGHT, LIST, LABELS, TMA, False,
        )  # fmt: skip
    if WS and not EVEN:  # triton can give warps roles in one loop of a kernel, so the mask is a branch in it
        state = _walk(
            state, q, k_source, v_source, inside, outside, end, order, labels, labels_k, place, rows, (mine, keys),
            (left, right), k_steps, v_steps, scale, D, WIDE, BN, True, LEFT, RIGHT, LIST, LABELS, TMA, True,
        )  # fmt: skip
    else:
        state = _walk(
            state, q, k_source, v_source, inside, outside, outside, order, labels, labels_k, place, rows,
            (mine, keys), (left, right), k_steps, v_steps, scale, D, WIDE, BN, False, LEFT, RIGHT, LIST, LABELS,
            TMA, WS,
        )  # fmt: skip
    if not EVEN and not WS:
        state = _walk(
            state, q, k_source, v_source, outside, outside, end, order, labels, labels_k, place, rows, (mine, keys),
            (left, right), k_steps, v_steps, scale, D, WIDE, BN, True, LEFT, RIGHT, LIST, LABELS, TMA, False,
        )  # fmt: skip
    acc, total, top = state
    result = acc / tl.where(total == 0.0, 1.0, total)[:, None]  # a row that read nothing is 0
    store_tile(out, result, batch, head, base_q, first, mine, out_steps[0], out_steps[1], out_steps[2], D, WIDE, BM)
    some = tl.where(total == 0.0, 1.0, total)
    level = tl.where(total == 0.0, float("-inf"), (top + tl.log2(some)) * 0.6931471805599453)
    tl.store(lse + (batch * heads + head) * t + base_q + rows, level, mask=rows < mine)
