"""The operators that a serving engine calls on its cache: write, read for one token, read for a chunk.

Idea      A cache is written in place and read through a table; operators of torch say so (`mutates_args`), and a graph or a compiler keeps
          their order.
Equation  O = softmax(σ q Kᵀ) V over the tokens that `block_tables` and `context_lens` name
Paper     As split.py, prefill.py and write.py.
Cost      `decode_bytes`; some ten microseconds of Python a call, which a CUDA graph takes away.

Layouts: q (B, Hq, D) or (total, Hq, D); caches (num_blocks, block_size, Hk, D) of one layer; block_tables (B, max_blocks) int32;
context_lens (B,) int32. A context of 0 gives 0.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from mlsys_core.kernels.decode.prefill import prefill
from mlsys_core.kernels.decode.split import attend_split, join_splits
from mlsys_core.kernels.decode.write import write_rows
from mlsys_core.kernels.launch import INTERPRETED, multiprocessors

TOPS = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}


def _width(head_dim: int) -> int:
    return max(16, int(triton.next_power_of_2(head_dim)))


def splits_for(batch: int, kv_heads: int, longest: int, device: torch.device) -> int:
    """How many splits fill the chip: enough programs for four a multiprocessor, and no split below 256 tokens; at most 64."""
    wanted = -(-4 * multiprocessors(device) // max(1, batch * kv_heads))
    return max(1, min(wanted, -(-longest // 256), 64))


def decode_bytes(
    context_lens: list[int],
    heads: int,
    kv_heads: int,
    head_dim: int,
    *,
    size: int = 2,
    splits: int = 1,
    scales: bool = False,
) -> int:
    """Least bytes of one decode step: each context's keys and values, queries (each split reads them), outputs, and the halves when split.

    `size` is bytes an element of the cache; with `scales` 4 bytes a vector more.
    """
    vectors = 2 * kv_heads * sum(context_lens)
    rows = heads * len(context_lens)
    halves = 2 * 4 * (head_dim + 1) * rows * splits if splits > 1 else 0
    return vectors * (head_dim * size + 4 * scales) + 2 * head_dim * rows * (splits + 1) + halves


@torch.library.custom_op("mlsys::paged_attention", mutates_args=())
def _paged_attention(
    q: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    block_tables: Tensor,
    context_lens: Tensor,
    scale: float,
    splits: int,
    window: int,
    key_scale: Tensor | None,
    value_scale: Tensor | None,
) -> Tensor:
    batch, heads, head_dim = q.shape
    kv_heads, size = key_cache.shape[2], key_cache.shape[1]
    group, width = heads // kv_heads, _width(head_dim)
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    if not splits:
        splits = splits_for(batch, kv_heads, window or block_tables.shape[1] * size, q.device)
    one = splits == 1
    halves = q.new_empty((0,) if one else (batch, heads, splits, head_dim), dtype=torch.float32)
    sums = q.new_empty((0,) if one else (batch, heads, splits), dtype=torch.float32)
    # a tile's address comes from a load of the table, so of s stages the keys and values are (s - 1) // 2 tiles ahead
    tile = 32 if INTERPRETED else 128 if key_cache.element_size() == 1 else 64
    attend_split[(splits, kv_heads, batch)](
        q, key_cache, value_cache, key_scale, value_scale, block_tables, context_lens, out, halves, sums,
        scale, block_tables.stride(0), q.stride(0), q.stride(1), *_cache_strides(key_cache), *_cache_strides(value_cache),
        *_scale_strides(key_scale), out.stride(0), out.stride(1), splits, window,
        GROUP=group, ROWS=max(16, triton.next_power_of_2(group)), D=head_dim, WIDTH=width, SIZE=size, BN=tile,
        SCALED=key_scale is not None, ONE=one, WINDOW=window > 0, STAGES=3, num_warps=4, num_stages=3,
    )  # fmt: skip
    if not one:
        join_splits[(heads, batch)](
            halves, sums, out, out.stride(0), out.stride(1), splits,
            D=head_dim, WIDTH=width, SPLITS=triton.next_power_of_2(splits), num_warps=4,
        )  # fmt: skip
    return out


@_paged_attention.register_fake
def _(q: Tensor, *_others: Any) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


def _chunk_tile(longest: int, size: int) -> tuple[int, int]:
    """New tokens and cached tokens of a program. Exact 32-bit products have no matrix unit: at 64 by 64 they spill 12 KB a thread."""
    if INTERPRETED:
        return 16, 32
    if size == 4:
        return 32, 32
    return (64 if longest <= 64 else 128), 64


@torch.library.custom_op("mlsys::paged_prefill_attention", mutates_args=())
def _paged_prefill_attention(
    q: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    block_tables: Tensor,
    context_lens: Tensor,
    cu_seqlens_q: Tensor,
    longest: int,
    scale: float,
    key_scale: Tensor | None,
    value_scale: Tensor | None,
) -> Tensor:
    heads, head_dim = q.shape[1:]
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    rows, tile = _chunk_tile(longest, q.element_size())
    prefill[(triton.cdiv(longest, rows), heads, context_lens.shape[0])](
        q, key_cache, value_cache, key_scale, value_scale, block_tables, context_lens, cu_seqlens_q, out,
        scale, heads // key_cache.shape[2], block_tables.stride(0), q.stride(0), q.stride(1),
        *_cache_strides(key_cache), *_cache_strides(value_cache), *_scale_strides(key_scale),
        out.stride(0), out.stride(1), D=head_dim, WIDTH=_width(head_dim), SIZE=key_cache.shape[1], BM=rows, BN=tile,
        SCALED=key_scale is not None, STAGES=3, num_warps=4 if rows == 64 else 8, num_stages=3,
    )  # fmt: skip
    return out


@_paged_prefill_attention.register_fake
def _(q: Tensor, *_others: Any) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


@torch.library.custom_op("mlsys::write_cache", mutates_args=("key_cache", "value_cache", "key_scale", "value_scale"))
def _write_cache(
    key: Tensor,
    value: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    slot_mapping: Tensor,
    key_scale: Tensor | None,
    value_scale: Tensor | None,
) -> None:
    n, kv_heads, head_dim = key.shape
    if not n:
        return
    write_rows[(n, kv_heads)](
        key, value, key_cache, value_cache, key_scale, value_scale, slot_mapping,
        key.stride(0), key.stride(1), value.stride(0), value.stride(1), *_cache_strides(key_cache),
        *_cache_strides(value_cache), *_scale_strides(key_scale), D=head_dim, WIDTH=_width(head_dim),
        TOP=TOPS.get(key_cache.dtype, 1.0), SCALED=key_scale is not None, ROUND=key_cache.dtype == torch.int8, num_warps=1,
    )  # fmt: skip


@_write_cache.register_fake
def _(*_arguments: Any) -> None:
    return None


def _cache_strides(cache: Tensor) -> tuple[int, int]:
    """Of a slot and of a head; blocks lie one after the other."""
    return cache.stride(1), cache.stride(2)


def _scale_strides(scale: Tensor | None) -> tuple[int, int]:
    return (0, 0) if scale is None else (scale.stride(1), scale.stride(2))
