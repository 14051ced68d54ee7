"""Paged prefill attention: several new tokens of each sequence read the cache, their own keys among them.

Idea      A long prompt is taken in chunks beside sequences that decode. The keys of a chunk are written into the cache first; then its
          queries are the last rows of a causal attention over all that the cache holds. One launch serves chunks and single tokens.
Equation  row i of a sequence with t new tokens and context n (the new ones included) reads tokens j ≤ n - t + i
Paper     A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve", OSDI 2024, section 4.1 (chunked
          prefills); W. Kwon et al., SOSP 2023, section 4.1.
Cost      As FlashAttention: the context once for each tile of BM new tokens and query head; 4 t n D FLOPs a head, less the masked part.
"""

from __future__ import annotations

import triton
import triton.language as tl

from mlsys_core.kernels.decode.pages import load_vectors, slots


@triton.jit
def prefill(
    q: tl.tensor,
    key_cache: tl.tensor,
    value_cache: tl.tensor,
    key_scale: tl.tensor,
    value_scale: tl.tensor,
    tables: tl.tensor,
    lengths: tl.tensor,
    starts: tl.tensor,
    out: tl.tensor,
    scale: tl.tensor,
    group: tl.tensor,
    table_stride: tl.tensor,
    q_t: tl.tensor,
    q_h: tl.tensor,
    k_slot: tl.tensor,
    k_head: tl.tensor,
    v_slot: tl.tensor,
    v_head: tl.tensor,
    s_slot: tl.tensor,
    s_head: tl.tensor,
    o_t: tl.tensor,
    o_h: tl.tensor,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    SCALED: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """One program: BM new tokens of one query head of one sequence. Grid (tiles of the longest chunk, heads, batch).

    q, out (total, Hq, D); `starts` (B + 1,) int32 says where each sequence's new tokens begin.
    """
    tile, head, batch = tl.num_programs(0) - 1 - tl.program_id(0), tl.program_id(1), tl.program_id(2)
    begin = tl.load(starts + batch)
    new = tl.load(starts + batch + 1) - begin
    if tile * BM < new:
        length = tl.load(lengths + batch)
        rows, columns = tile * BM + tl.arange(0, BM), tl.arange(0, WIDTH)
        inside = (rows < new)[:, None] & (columns < D)[None, :]
        queries = tl.load(q + (begin + rows)[:, None] * q_t + head * q_h + columns[None, :], mask=inside, other=0.0)
        acc = tl.zeros((BM, WIDTH), tl.float32)
        total = tl.zeros((BM,), tl.float32)
        top = tl.full((BM,), float("-inf"), tl.float32)
        factor = scale * 1.4426950408889634
        seen = length - new + rows  # the last token that each row reads
        last = tl.minimum(length - new + (tile + 1) * BM, length)
        table, kv_head = tables + batch * table_stride, head // group
        for start in tl.range(0, last, BN, num_stages=STAGES):
            tokens = start + tl.arange(0, BN)
            live = tokens < last
            places = slots(table, tokens, live, SIZE)
            keys = load_vectors(key_cache, places, kv_head, live, k_slot, k_head, WIDTH, D).to(queries.dtype)
            scores = tl.dot(queries, keys.T, input_precision="ieee") * factor
            if SCALED:
                scores = scores * tl.load(key_scale + places * s_slot + kv_head * s_head, mask=live, other=0.0)[None, :]
            scores = tl.where(tokens[None, :] <= seen[:, None], scores, float("-inf"))
            higher = tl.maximum(top, tl.max(scores, 1))
            base = tl.where(higher == float("-inf"), 0.0, higher)
            shares = tl.math.exp2(scores - base[:, None])
            shrink = tl.math.exp2(top - base)
            total = total * shrink + tl.sum(shares, 1)
            if SCALED:
                found = tl.load(value_scale + places * s_slot + kv_head * s_head, mask=live, other=0.0)
                shares = shares * found[None, :]
            values = load_vectors(value_cache, places, kv_head, live, v_slot, v_head, WIDTH, D).to(queries.dtype)
            acc = tl.dot(shares.to(values.dtype), values, acc * shrink[:, None], input_precision="ieee")
            top = higher
        acc = acc / tl.where(total == 0.0, 1.0, total)[:, None]
        places = (begin + rows)[:, None] * o_t + head * o_h + columns[None, :]
        tl.store(out + places, acc.to(out.dtype.element_ty), mask=inside)
