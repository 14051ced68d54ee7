"""The gradients of attention: scores are computed again from the saved LSE, and each gradient has one owner, so no atomics.

Idea      Two kernels. One holds a tile of keys and values and walks over the queries that read it: dk, dv. One holds a block of queries
          and walks over its keys: dq. Scores are computed twice for it (seven products a tile where five would do), and in return
          every sum is made by one program in one order: the same bits in every run.
Equation  P = 2^(s - LSE log2 e)   dV = Pᵀ dO   dP = dO Vᵀ   dS = P ⊙ (dP - δ)   dQ = scale dS K   dK = scale dSᵀ Q
          with δ = rowsum(dO ⊙ O) - dLSE
Paper     T. Dao, "FlashAttention-2", ICLR 2024, algorithm 2.
Cost      `attention_bytes(..., backward=True)` and `attention_flops(..., backward=True)`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from mlsys_core.kernels.attention.tiles import allowed, load_tile, sequence, span, store_tile


@triton.jit
def attention_delta(
    out: tl.tensor, grad: tl.tensor, lse: tl.tensor, grad_lse: tl.tensor, delta: tl.tensor, level: tl.tensor,
    cu_q: tl.tensor, out_steps: tl.tensor,
    grad_steps: tl.tensor, t: tl.tensor, heads: tl.tensor,
    D: tl.constexpr, WIDE: tl.constexpr, VARLEN: tl.constexpr, BM: tl.constexpr,
) -> None:  # fmt: skip
    """δ of each row, and its LSE in base 2, which is +inf where the row read nothing (then P is 0)."""
    first, head, batch = tl.program_id(0) * BM, tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    base, mine = sequence(cu_q, batch, t, VARLEN)
    if VARLEN:
        batch = batch * 0
    o = load_tile(out, batch, head, base, first, mine, out_steps[0], out_steps[1], out_steps[2], D, WIDE, BM, False)
    g = load_tile(grad, batch, head, base, first, mine, grad_steps[0], grad_steps[1], grad_steps[2], D, WIDE, BM, False)
    rows = first + tl.arange(0, BM)
    at = (batch * heads + head) * t + base + rows
    held = rows < mine
    tl.store(
        delta + at,
        tl.sum(o.to(tl.float32) * g.to(tl.float32), 1) - tl.load(grad_lse + at, mask=held, other=0.0),
        mask=held,
    )
    saved = tl.load(lse + at, mask=held, other=0.0)
    tl.store(level + at, tl.where(saved == float("-inf"), float("inf"), saved * 1.4426950408889634), mask=held)


@triton.jit
def _walk_queries(
    state: tl.tensor, k: tl.tensor, v: tl.tensor, q_source: tl.tensor, g_source: tl.tensor, level: tl.tensor,
    delta: tl.tensor, begin: tl.tensor, end: tl.tensor,
    order: tl.tensor, labels: tl.tensor, labels_q: tl.tensor, place: tl.tensor, columns: tl.tensor,
    lengths: tl.tensor, band: tl.tensor,
    q_steps: tl.tensor, g_steps: tl.tensor, scale: tl.tensor, D: tl.constexpr, WIDE: tl.constexpr, BM: tl.constexpr,
    MASKED: tl.constexpr,
    LEFT: tl.constexpr, RIGHT: tl.constexpr, LIST: tl.constexpr, LABELS: tl.constexpr, TMA: tl.constexpr,
    WS: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Adds what the blocks begin … end of queries give to dk and dv of a tile. All tiles are transposed: keys by queries."""
    dk, dv = state
    batch, head, base, line = place
    for i in tl.range(begin, end, warp_specialize=WS):
        block = i
        if LIST:
            block = tl.load(order + i)
        first = block * BM
        rows = first + tl.arange(0, BM)
        q = load_tile(
            q_source, batch, head, base, first, lengths[0], q_steps[0], q_steps[1], q_steps[2], D, WIDE, BM, TMA
        )
        p = tl.dot(k, q.T, input_precision="ieee") * scale
        if MASKED:
            ok = allowed(rows[None, :], columns[:, None], lengths[0], lengths[1], band[0], band[1], LEFT, RIGHT)
            if LABELS:
                ok = ok & (tl.load(labels_q + rows, mask=rows < lengths[0], other=-2)[None, :] == labels[:, None])
            p = tl.where(ok, p, float("-inf"))
        p = tl.exp2(p - tl.load(level + line + rows, mask=rows < lengths[0], other=float("inf"))[None, :])
        g = load_tile(
            g_source, batch, head, base, first, lengths[0], g_steps[0], g_steps[1], g_steps[2], D, WIDE, BM, TMA
        )
        dv = tl.dot(p.to(g.dtype), g, dv, input_precision="ieee")
        dp = tl.dot(v, g.T, input_precision="ieee")
        ds = p * (dp - tl.load(delta + line + rows, mask=rows < lengths[0], other=0.0)[None, :])
        dk = tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")
    return dk, dv


@triton.jit
def attention_backward_keys(
    q_source: tl.tensor, k_source: tl.tensor, v_source: tl.tensor, g_source: tl.tensor, level: tl.tensor,
    delta: tl.tensor, dk_out: tl.tensor, dv_out: tl.tensor,
    cu_q: tl.tensor, cu_k: tl.tensor, count: tl.tensor, order: tl.tensor, labels_q: tl.tensor, labels_k: tl.tensor,
    q_steps: tl.tensor, k_steps: tl.tensor, v_steps: tl.tensor, g_steps: tl.tensor, dk_steps: tl.tensor,
    dv_steps: tl.tensor, t: tl.tensor, s: tl.tensor, left: tl.tensor,
    right: tl.tensor, scale: tl.tensor, natural: tl.tensor, heads: tl.tensor,
    D: tl.constexpr, WIDE: tl.constexpr, GROUP: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr,
    VARLEN: tl.constexpr, LIST: tl.constexpr, LABELS: tl.constexpr, EVEN: tl.constexpr, TMA: tl.constexpr, BM: tl.constexpr,  # noqa: ARG001 - both backward kernels are launched alike
    BN: tl.constexpr, WS: tl.constexpr,
) -> None:  # fmt: skip
    """dk and dv of one tile of keys; grid (tiles, Hk, B). The queries of a group's heads are summed here, in order."""
    tile = tl.program_id(0)
    head, batch = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    base_q, mine = sequence(cu_q, batch, t, VARLEN)
    base_k, keys = sequence(cu_k, batch, s, VARLEN)
    first = tile * BN
    if VARLEN:
        if first >= keys:
            return
        batch = batch * 0
    columns = first + tl.arange(0, BN)
    k = load_tile(k_source, batch, head, base_k, first, keys, k_steps[0], k_steps[1], k_steps[2], D, WIDE, BN, TMA)
    v = load_tile(v_source, batch, head, base_k, first, keys, v_steps[0], v_steps[1], v_steps[2], D, WIDE, BN, TMA)
    state = (tl.zeros((BN, WIDE), tl.float32), tl.zeros((BN, WIDE), tl.float32))
    labels = columns
    if LABELS:
        labels = tl.load(labels_k + columns, mask=columns < keys, other=-1)
    if LIST:
        order += tile * tl.cdiv(t, BM)
        begin, inside, outside = 0, 0, tl.load(count + 2 * tile)
        end = outside + tl.load(count + 2 * tile + 1)
    else:  # seen from a key, the band is mirrored; rows after the last add nothing, so their block needs no mask
        begin, inside, outside, end = span(first + mine - keys, BN, mine, right, left, RIGHT, LEFT, BM)
        if not LEFT:
            outside = tl.maximum(end, inside)
    for member in range(GROUP):
        mate = head * GROUP + member
        place = (batch, mate, base_q, (batch * heads + mate) * t + base_q)
        if RIGHT and not LIST:
            state = _walk_queries(
                state, k, v, q_source, g_source, level, delta, begin, inside, order, labels, labels_q, place, columns,
                (mine, keys), (left, right), q_steps, g_steps, scale, D, WIDE, BM, True, LEFT, RIGHT, LIST, LABELS,
                TMA, WS,
            )  # fmt: skip
        state = _walk_queries(
            state, k, v, q_source, g_source, level, delta, inside, outside, order, labels, labels_q, place, columns,
            (mine, keys), (left, right), q_steps, g_steps, scale, D, WIDE, BM, False, LEFT, RIGHT, LIST, LABELS, TMA,
            WS,
        )  # fmt: skip
        if LEFT or LIST:
            state = _walk_queries(
                state, k, v, q_source, g_source, level, delta, outside, end, order, labels, labels_q, place, columns,
                (mine, keys), (left, right), q_steps, g_steps, scale, D, WIDE, BM, True, LEFT, RIGHT, LIST, LABELS,
                TMA, WS,
            )  # fmt: skip
    dk, dv = state
    store_tile(
        dk_out, dk * natural, batch, head, base_k, first, keys, dk_steps[0], dk_steps[1], dk_steps[2], D, WIDE, BN
    )
    store_tile(dv_out, dv, batch, head, base_k, first, keys, dv_steps[0], dv_steps[1], dv_steps[2], D, WIDE, BN)


@triton.jit
def _walk_keys(
    dq: tl.tensor, q: tl.tensor, g: tl.tensor, level: tl.tensor, delta: tl.tensor, k_source: tl.tensor,
    v_source: tl.tensor, begin: tl.tensor, end: tl.tensor, order: tl.tensor,
    labels: tl.tensor, labels_k: tl.tensor, place: tl.tensor, rows: tl.tensor, lengths: tl.tensor, band: tl.tensor,
    k_steps: tl.tensor, v_steps: tl.tensor, scale: tl.tensor, D: tl.constexpr, WIDE: tl.constexpr, BN: tl.constexpr,
    MASKED: tl.constexpr,
    LEFT: tl.constexpr, RIGHT: tl.constexpr, LIST: tl.constexpr, LABELS: tl.constexpr, TMA: tl.constexpr,
    WS: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Adds what the tiles begin … end of keys give to dq of a block."""
    batch, head, base = place
    for i in tl.range(begin, end, warp_specialize=WS):
        tile = i
        if LIST:
            tile = tl.load(order + i)
        first = tile * BN
        k = load_tile(
            k_source, batch, head, base, first, lengths[1], k_steps[0], k_steps[1], k_steps[2], D, WIDE, BN, TMA
        )
        v = load_tile(
            v_source, batch, head, base, first, lengths[1], v_steps[0], v_steps[1], v_steps[2], D, WIDE, BN, TMA
        )
        s = tl.dot(q, k.T, input_precision="ieee")
        dp = tl.dot(g, v.T, input_precision="ieee")
        if MASKED:
            columns = first + tl.arange(0, BN)
            ok = allowed(rows[:, None], columns[None, :], lengths[0], lengths[1], band[0], band[1], LEFT, RIGHT)
            if LABELS:
                ok = ok & (labels[:, None] == tl.load(labels_k + columns, mask=columns < lengths[1], other=-1)[None, :])
            s = tl.where(ok, s, float("-inf"))
        p = tl.exp2(s * scale - level[:, None])
        ds = p * (dp - delta[:, None])
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")
    return dq


@triton.jit
def attention_backward_queries(
    q_source: tl.tensor, k_source: tl.tensor, v_source: tl.tensor, g_source: tl.tensor, level: tl.tensor,
    delta: tl.tensor, dq_out: tl.tensor, cu_q: tl.tensor,
    cu_k: tl.tensor, count: tl.tensor, order: tl.tensor, labels_q: tl.tensor, labels_k: tl.tensor,
    q_steps: tl.tensor, k_steps: tl.tensor, v_steps: tl.tensor, g_steps: tl.tensor, dq_steps: tl.tensor,
    t: tl.tensor, s: tl.tensor, left: tl.tensor, right: tl.tensor,
    scale: tl.tensor, natural: tl.tensor, heads: tl.tensor,
    D: tl.constexpr, WIDE: tl.constexpr, GROUP: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr,
    VARLEN: tl.constexpr, LIST: tl.constexpr, LABELS: tl.constexpr, EVEN: tl.constexpr, TMA: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr, WS: tl.constexpr,
) -> None:  # fmt: skip
    """dq of one block of queries; grid (blocks, Hq, B), heavy blocks first as in the forward."""
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
    g = load_tile(g_source, batch, head, base_q, first, mine, g_steps[0], g_steps[1], g_steps[2], D, WIDE, BM, TMA)
    line = (batch * heads + head) * t + base_q + rows
    top = tl.load(level + line, mask=rows < mine, other=float("inf"))
    less = tl.load(delta + line, mask=rows < mine, other=0.0)
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
    dq = tl.zeros((BM, WIDE), tl.float32)
    if LEFT and not LIST:
        dq = _walk_keys(
            dq, q, g, top, less, k_source, v_source, begin, inside, order, labels, labels_k, place, rows, (mine, keys),
            (left, right), k_steps, v_steps, scale, D, WIDE, BN, True, LEFT, RIGHT, LIST, LABELS, TMA, False,
        )  # fmt: skip
    dq = _walk_keys(
        dq, q, g, top, less, k_source, v_source, inside, outside, order, labels, labels_k, place, rows, (mine, keys),
        (left, right), k_steps, v_steps, scale, D, WIDE, BN, False, LEFT, RIGHT, LIST, LABELS, TMA, WS,
    )  # fmt: skip
    if not EVEN:
        dq = _walk_keys(
            dq, q, g, top, less, k_source, v_source, outside, end, order, labels, labels_k, place, rows, (mine, keys),
            (left, right), k_steps, v_steps, scale, D, WIDE, BN, True, LEFT, RIGHT, LIST, LABELS, TMA, WS,
        )  # fmt: skip
    store_tile(
        dq_out, dq * natural, batch, head, base_q, first, mine, dq_steps[0], dq_steps[1], dq_steps[2], D, WIDE, BM
    )
