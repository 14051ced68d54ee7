"""Paged decode attention: one new token a sequence reads its whole context, split over many programs.

Idea      Decoding moves bytes and computes little, so the chip must have many loads in flight. The context of a sequence is cut into splits
          that run side by side, each with its own online softmax; a second kernel joins them. The query heads that share a head of keys
          stand in one tile, so that keys and values are read once for the whole group.
Equation  split s: (o_s, l_s) with l_s its log-sum-exp;   l = logaddexp over s;   o = Σ_s e^{l_s - l} o_s
Paper     T. Dao et al., "Flash-Decoding for long-context inference", 2023; W. Kwon et al., SOSP 2023, section 5.1; J. Ainslie et al.,
          "GQA", EMNLP 2023.
Cost      `decode_bytes`: the live keys and values once, and 4 (D + 1) bytes a split and query head for the halves, written and read.
"""

from __future__ import annotations

import triton
import triton.language as tl

from mlsys_core.kernels.decode.pages import load_vectors, slots


@triton.jit
def attend_split(
    q: tl.tensor,
    key_cache: tl.tensor,
    value_cache: tl.tensor,
    key_scale: tl.tensor,
    value_scale: tl.tensor,
    tables: tl.tensor,
    lengths: tl.tensor,
    out: tl.tensor,
    halves: tl.tensor,
    sums: tl.tensor,
    scale: tl.tensor,
    table_stride: tl.tensor,
    q_b: tl.tensor,
    q_h: tl.tensor,
    k_slot: tl.tensor,
    k_head: tl.tensor,
    v_slot: tl.tensor,
    v_head: tl.tensor,
    s_slot: tl.tensor,
    s_head: tl.tensor,
    o_b: tl.tensor,
    o_h: tl.tensor,
    splits: tl.tensor,
    window: tl.tensor,
    GROUP: tl.constexpr,
    ROWS: tl.constexpr,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    BN: tl.constexpr,
    SCALED: tl.constexpr,
    ONE: tl.constexpr,
    WINDOW: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """One program: the group of query heads of one head of keys, over one split of a context. Grid (splits, heads of keys, batch).

    q, out (B, Hq, D); halves (B, Hq, splits, D) and sums (B, Hq, splits) float32, written unless there is ONE split.
    """
    split, kv_head, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + batch)
    begin = tl.maximum(length - window, 0) // BN * BN if WINDOW else 0
    share = tl.cdiv(tl.cdiv(length - begin, splits), BN) * BN
    first = begin + split * share
    last = tl.minimum(first + share, length)
    members, columns = tl.arange(0, ROWS), tl.arange(0, WIDTH)
    heads = kv_head * GROUP + members
    inside = (members < GROUP)[:, None] & (columns < D)[None, :]
    queries = tl.load(q + batch * q_b + heads[:, None] * q_h + columns[None, :], mask=inside, other=0.0)
    acc = tl.zeros((ROWS, WIDTH), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    top = tl.full((ROWS,), float("-inf"), tl.float32)
    factor = scale * 1.4426950408889634
    table = tables + batch * table_stride
    for start in tl.range(first, last, BN, num_stages=STAGES):
        tokens = start + tl.arange(0, BN)
        live = tokens < last
        if WINDOW:
            live = live & (tokens >= length - window)
        places = slots(table, tokens, live, SIZE)
        keys = load_vectors(key_cache, places, kv_head, live, k_slot, k_head, WIDTH, D).to(queries.dtype)
        scores = tl.dot(queries, keys.T, input_precision="ieee") * factor
        if SCALED:
            scores = scores * tl.load(key_scale + places * s_slot + kv_head * s_head, mask=live, other=0.0)[None, :]
        scores = tl.where(live[None, :], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        shares = tl.math.exp2(scores - base[:, None])
        shrink = tl.math.exp2(top - base)
        total = total * shrink + tl.sum(shares, 1)
        if SCALED:
            shares = shares * tl.load(value_scale + places * s_slot + kv_head * s_head, mask=live, other=0.0)[None, :]
        values = load_vectors(value_cache, places, kv_head, live, v_slot, v_head, WIDTH, D).to(queries.dtype)
        acc = tl.dot(shares.to(values.dtype), values, acc * shrink[:, None], input_precision="ieee")
        top = higher
    empty = total == 0.0
    acc = acc / tl.where(empty, 1.0, total)[:, None]
    if ONE:
        tl.store(out + batch * o_b + heads[:, None] * o_h + columns[None, :], acc.to(out.dtype.element_ty), mask=inside)
    else:
        all_heads = tl.num_programs(1) * GROUP
        place = (batch * all_heads + heads) * splits + split
        tl.store(halves + place[:, None] * D + columns[None, :], acc, mask=inside)
        logs = tl.where(empty, float("-inf"), top + tl.math.log2(tl.where(empty, 1.0, total)))
        tl.store(sums + place, logs, mask=members < GROUP)


@triton.jit
def join_splits(
    halves: tl.tensor,
    sums: tl.tensor,
    out: tl.tensor,
    o_b: tl.tensor,
    o_h: tl.tensor,
    splits: tl.tensor,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    SPLITS: tl.constexpr,
) -> None:
    """One program: one query head of one sequence. Grid (heads, batch). `sums` are logarithms to the base two."""
    head, batch = tl.program_id(0), tl.program_id(1)
    parts, columns = tl.arange(0, SPLITS), tl.arange(0, WIDTH)
    place = (batch * tl.num_programs(0) + head) * splits
    logs = tl.load(sums + place + parts, mask=parts < splits, other=float("-inf"))
    top = tl.max(logs, 0)
    weights = tl.where(logs == float("-inf"), 0.0, tl.math.exp2(logs - tl.where(top == float("-inf"), 0.0, top)))
    inside = (parts < splits)[:, None] & (columns < D)[None, :]
    each = tl.load(halves + (place + parts)[:, None] * D + columns[None, :], mask=inside, other=0.0)
    total = tl.sum(weights, 0)
    joined = tl.sum(each * weights[:, None], 0) / tl.where(total == 0.0, 1.0, total)
    tl.store(out + batch * o_b + head * o_h + columns, joined.to(out.dtype.element_ty), mask=columns < D)
