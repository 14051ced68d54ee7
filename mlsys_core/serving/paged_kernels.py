"""Two kernels for steps of one token a sequence: new keys and values into their slots, and attention through block tables.

Idea      One query a head is little work and much reading, so what counts is that enough programs read at once. The queries that share a
          head of keys are one small matrix, and the context is split among programs; each keeps a running softmax over its part, and a
          second kernel puts the parts together by their log-sum-exps. Blocks are read where they are, by the table.
Equation  part j: m_j = max s,  l_j = Σ e^{s - m_j},  o_j = Σ e^{s - m_j} v / l_j;   o = Σ_j w_j o_j,  w_j = l_j e^{m_j} / Σ l_i e^{m_i}
Paper     T. Dao, D. Haziza, F. Massa, G. Sizov, "Flash-Decoding for long-context inference", 2023; W. Kwon et al., "PagedAttention",
          SOSP 2023, section 5.1.
Cost      `attention_bytes`: keys and values of every context once.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import multiprocessors

TILE, WARPS = 32, 4  # tokens that a program reads at a time, and its warps
PROGRAMS = 4  # on a multiprocessor, so that some compute while others wait
LOG2E = 1.4426950408889634


def attention_bytes(contexts: list[int], kv_heads: int, head_dim: int, element: int = 2) -> int:
    """Bytes of keys and values that a step must read in one layer."""
    return 2 * sum(contexts) * kv_heads * head_dim * element


@triton.jit
def _write(
    key: tl.tensor, value: tl.tensor, keys: tl.tensor, values: tl.tensor, slots: tl.tensor,
    WIDTH: tl.constexpr, LANES: tl.constexpr,
) -> None:  # fmt: skip
    """The keys and values of one token, WIDTH numbers each."""
    i = tl.program_id(0)
    lane = tl.arange(0, LANES)
    live = lane < WIDTH
    slot = tl.load(slots + i)
    tl.store(keys + slot * WIDTH + lane, tl.load(key + i * WIDTH + lane, mask=live, other=0.0), mask=live)
    tl.store(values + slot * WIDTH + lane, tl.load(value + i * WIDTH + lane, mask=live, other=0.0), mask=live)


@triton.jit
def _attend(
    q: tl.tensor, keys: tl.tensor, values: tl.tensor, tables: tl.tensor, contexts: tl.tensor, parts: tl.tensor, lses: tl.tensor,
    scale: tl.tensor, width: tl.tensor,
    HEADS: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr, D: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr,
) -> None:  # fmt: skip
    """One sequence, one head of keys, one part of the context. q (B, HEADS, GROUP, D), parts (B, HEADS, splits, GROUP, D)."""
    b, h, j = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    context, splits = tl.load(contexts + b), tl.num_programs(2)
    share = tl.cdiv(tl.cdiv(context, splits), TILE) * TILE
    first, last = j * share, tl.minimum(j * share + share, context)
    row, lane, place = tl.arange(0, ROWS), tl.arange(0, D), tl.arange(0, TILE)
    live = row < GROUP
    at = (b * HEADS + h) * GROUP + row
    query = tl.load(q + at[:, None] * D + lane[None, :], mask=live[:, None], other=0.0)
    m = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    out = tl.zeros((ROWS, D), tl.float32)
    for start in range(first, last, TILE):
        p = start + place
        seen = p < last
        block = tl.load(tables + b * width + p // BLOCK, mask=seen, other=0).to(tl.int64)
        where = ((block * BLOCK + p % BLOCK) * HEADS + h) * D
        k = tl.load(keys + where[:, None] + lane[None, :], mask=seen[:, None], other=0.0)
        v = tl.load(
            values + where[:, None] + lane[None, :], mask=seen[:, None], other=0.0
        )  # under way while s is computed
        s = tl.dot(query, tl.trans(k), input_precision="ieee") * scale
        s = tl.where(seen[None, :], s, float("-inf"))
        highest = tl.maximum(m, tl.max(s, 1))
        weight = tl.exp2(s - highest[:, None])
        shrink = tl.exp2(m - highest)
        out = out * shrink[:, None] + tl.dot(weight.to(v.dtype), v, input_precision="ieee")
        total = total * shrink + tl.sum(weight, 1)
        m = highest
    # A part without a token weighs nothing: its log-sum-exp is minus infinity.
    some = last > first
    lse = tl.where(some, m + tl.log2(tl.where(some, total, 1.0)), float("-inf"))
    part = ((b * HEADS + h) * splits + j) * GROUP + row
    tl.store(lses + part, lse, mask=live)
    tl.store(parts + part[:, None] * D + lane[None, :], out / tl.where(some, total, 1.0)[:, None], mask=live[:, None])


@triton.jit
def _join(
    parts: tl.tensor, lses: tl.tensor, out: tl.tensor,
    GROUP: tl.constexpr, D: tl.constexpr, SPLITS: tl.constexpr, LANES: tl.constexpr,
) -> None:  # fmt: skip
    """One head of queries of one sequence: its parts by their weights."""
    i = tl.program_id(0)
    j, lane = tl.arange(0, LANES), tl.arange(0, D)
    at = (i // GROUP * SPLITS + j) * GROUP + i % GROUP
    lse = tl.load(lses + at, mask=j < SPLITS, other=float("-inf"))
    weight = tl.exp2(lse - tl.max(lse, 0))
    part = tl.load(parts + at[:, None] * D + lane[None, :], mask=(j < SPLITS)[:, None], other=0.0)
    read = tl.sum(part * weight[:, None], 0) / tl.sum(weight, 0)
    tl.store(out + i * D + lane, read.to(out.dtype.element_ty))


def write_slots(key: Tensor, value: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
    """key, value (n, Hk, D), contiguous, to places slots (n,) of keys, values (blocks, s, Hk, D)."""
    width = key.shape[1] * key.shape[2]
    launch: Any = _write[(len(key),)]
    launch(key, value, keys, values, slots, WIDTH=width, LANES=triton.next_power_of_2(width))


def splits_of(batch: int, kv_heads: int, longest: int, device: torch.device) -> int:
    """Parts of a context, so that every multiprocessor has some programs, and none of those less than a tile at full length."""
    wanted = PROGRAMS * multiprocessors(device) // (batch * kv_heads)
    return max(1, min(wanted, -(-longest // TILE), 32))


def attend_singles(q: Tensor, keys: Tensor, values: Tensor, tables: Tensor, contexts: Tensor, **told: int) -> Tensor:
    """q (n, H, D), contiguous, one token of each sequence; tables (n, M) int32, contexts (n,) int32 -> (n, H, D).

    D is a power of two, at least 16. Nothing here depends on what tables and contexts hold, so it can be recorded. `told` may give
    `splits`, `tile` and `warps`, which have good values otherwise.
    """
    (batch, heads, size), (_, block, kv_heads, _) = q.shape, keys.shape
    group, width = heads // kv_heads, tables.shape[1]
    splits = told.get("splits") or splits_of(batch, kv_heads, width * block, q.device)
    parts = q.new_empty(batch, kv_heads, splits, group, size, dtype=torch.float32)
    lses, out = q.new_empty(batch, kv_heads, splits, group, dtype=torch.float32), torch.empty_like(q)
    attend: Any = _attend[(batch, kv_heads, splits)]
    attend(
        q, keys, values, tables, contexts, parts, lses, LOG2E / size**0.5, tables.stride(0),
        HEADS=kv_heads, GROUP=group, ROWS=max(16, triton.next_power_of_2(group)), D=size, BLOCK=block,
        TILE=told.get("tile", TILE), num_warps=told.get("warps", WARPS),
    )  # fmt: skip
    join: Any = _join[(batch * heads,)]
    join(parts, lses, out, GROUP=group, D=size, SPLITS=splits, LANES=triton.next_power_of_2(splits), num_warps=1)
    return out
