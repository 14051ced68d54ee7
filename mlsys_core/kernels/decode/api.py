"""Attention over a paged cache: the functions that a serving engine calls, with what they ask of their arguments.

Idea      One layer's cache, one batch of sequences, three acts: write the step's keys and values, read for sequences with one new token,
          read for sequences with several.
Equation  As split.py, prefill.py and write.py.
Paper     W. Kwon et al., SOSP 2023.
Cost      As operators.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.kernels.decode.operators import (
    TOPS,
    _paged_attention,
    _paged_prefill_attention,
    _write_cache,
)


def paged_attention(
    q: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    block_tables: Tensor,
    context_lens: Tensor,
    *,
    scale: float | None = None,
    splits: int | None = None,
    window: int = 0,
    key_scale: Tensor | None = None,
    value_scale: Tensor | None = None,
) -> Tensor:
    """One new token a sequence: q (B, Hq, D) -> (B, Hq, D). Its key and value are in the cache already.

    `splits` defaults to what fills the chip for the longest context that the table allows, so no length is read back from the GPU.
    `window`: only the last so many tokens are read; 0 is all. With `key_scale` and `value_scale` (num_blocks, block_size, Hk) the
    cache is quantized. Raises ValueError for shapes that do not fit.
    """
    _check(q, key_cache, value_cache, key_scale, value_scale)
    q, scale = _ready(q, scale)
    return _paged_attention(
        q, key_cache, value_cache, block_tables, context_lens, scale, splits or 0, window, key_scale, value_scale
    )


def paged_attention_quantized(
    q: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    key_scale: Tensor,
    value_scale: Tensor,
    block_tables: Tensor,
    context_lens: Tensor,
    *,
    scale: float | None = None,
    splits: int | None = None,
    window: int = 0,
) -> Tensor:
    """As `paged_attention`, from a cache of int8 or float8_e4m3fn with float32 scales (num_blocks, block_size, Hk)."""
    return paged_attention(
        q,
        key_cache,
        value_cache,
        block_tables,
        context_lens,
        scale=scale,
        splits=splits,
        window=window,
        key_scale=key_scale,
        value_scale=value_scale,
    )


def paged_prefill_attention(
    q: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    block_tables: Tensor,
    context_lens: Tensor,
    cu_seqlens_q: Tensor,
    *,
    scale: float | None = None,
    max_seqlen_q: int | None = None,
    key_scale: Tensor | None = None,
    value_scale: Tensor | None = None,
) -> Tensor:
    """The last tokens of each sequence: q (total, Hq, D) -> (total, Hq, D), sequence b's rows from cu_seqlens_q[b] on.

    Row i of t new tokens reads the first n - t + i + 1 of the n = context_lens[b] tokens. `max_seqlen_q` bounds t; where it is not
    given, all rows may be one sequence's.
    """
    _check(q, key_cache, value_cache, key_scale, value_scale)
    q, scale = _ready(q, scale)
    longest = q.shape[0] if max_seqlen_q is None else max_seqlen_q
    return _paged_prefill_attention(
        q, key_cache, value_cache, block_tables, context_lens, cu_seqlens_q, longest, scale, key_scale, value_scale
    )


def write_cache(
    key: Tensor,
    value: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    slot_mapping: Tensor,
    *,
    key_scale: Tensor | None = None,
    value_scale: Tensor | None = None,
) -> None:
    """key and value (n, Hk, D) go to slots (n,) int64 of the caches; -1 skips a row. With scales each vector is quantized."""
    _check(key, key_cache, value_cache, key_scale, value_scale)
    key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (key, value))
    _write_cache(key, value, key_cache, value_cache, slot_mapping, key_scale, value_scale)


def write_cache_quantized(
    key: Tensor,
    value: Tensor,
    key_cache: Tensor,
    value_cache: Tensor,
    key_scale: Tensor,
    value_scale: Tensor,
    slot_mapping: Tensor,
) -> None:
    """As `write_cache`, into a cache of eight bits: each vector (D,) is divided by its scale, which goes to the same slot."""
    write_cache(key, value, key_cache, value_cache, slot_mapping, key_scale=key_scale, value_scale=value_scale)


def quantized_cache(
    num_blocks: int,
    block_size: int,
    kv_heads: int,
    head_dim: int,
    *,
    dtype: torch.dtype = torch.int8,
    device: str = "cpu",
) -> tuple[Tensor, Tensor]:
    """An empty cache of int8 or float8_e4m3fn and its scales, for keys or for values. Raises ValueError for another dtype."""
    if dtype not in TOPS:
        raise ValueError(f"A cache cannot be quantized to {dtype}: choose int8 or float8_e4m3fn.")
    cache = torch.zeros(num_blocks, block_size, kv_heads, head_dim, dtype=dtype, device=device)
    return cache, torch.zeros(num_blocks, block_size, kv_heads, device=device)


def _ready(q: Tensor, scale: float | None) -> tuple[Tensor, float]:
    return q if q.stride(-1) == 1 else q.contiguous(), q.shape[-1] ** -0.5 if scale is None else scale


def _check(
    rows: Tensor, key_cache: Tensor, value_cache: Tensor, key_scale: Tensor | None, value_scale: Tensor | None
) -> None:
    if rows.ndim != 3 or key_cache.shape != value_cache.shape or rows.shape[-1] != key_cache.shape[-1]:
        raise ValueError(f"Rows {tuple(rows.shape)} do not fit a cache {tuple(key_cache.shape)}.")
    if rows.shape[1] % key_cache.shape[2]:
        raise ValueError(
            f"{rows.shape[1]} heads cannot share {key_cache.shape[2]} heads of keys evenly: give a divisor."
        )
    if not (key_cache.is_contiguous() and value_cache.is_contiguous()):
        raise ValueError("The slots of a cache lie one after the other: give a contiguous one.")
    if (key_cache.dtype in TOPS) != (key_scale is not None) or (key_scale is None) != (value_scale is None):
        raise ValueError("A quantized cache needs both scales, and no other cache has any.")
