"""The two functions that a model calls. Shapes are checked here, in words.

Idea      Dense batches, and batches of sequences of different lengths laid end to end without padding.
Equation  O = softmax(scale Q Kᵀ + mask) V. Causal is aligned to the end: query i of T stands at key i + S - T of S, so that a step of
          decoding (T = 1) sees the whole cache. `F.scaled_dot_product_attention(is_causal=True)` aligns to the start where T ≠ S.
Paper     T. Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning", ICLR 2024.
Cost      `attention_bytes`, `attention_flops`.
"""

from __future__ import annotations

from typing import Literal, overload

import torch
from torch import Tensor

from mlsys_core.kernels.attention.block_mask import BlockMask
from mlsys_core.kernels.attention.ops import attention_operator

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def band(causal: bool, window: tuple[int, int] | None) -> tuple[int, int]:
    """(left, right): how many keys before and after its place a query reads; -1 for all of them."""
    left, right = window or (-1, -1)
    if min(left, right) < -1:
        raise ValueError(
            f"A window of {window} has no meaning: give the keys to the left and to the right, -1 for all."
        )
    return left, 0 if causal else right


def _check(q: Tensor, k: Tensor, v: Tensor, heads: int) -> None:
    """`heads` is the axis of heads."""
    if k.shape != v.shape or q.ndim != k.ndim or q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}: k and v must have one shape, and q their rank and last axis."
        )
    if q.shape[heads] % max(1, k.shape[heads]) or not k.shape[heads]:
        raise ValueError(
            f"{q.shape[heads]} heads of queries cannot share {k.shape[heads]} heads of keys evenly: give a divisor."
        )
    if q.dtype not in DTYPES or not q.dtype == k.dtype == v.dtype:
        raise ValueError(f"q, k, v are {q.dtype}, {k.dtype}, {v.dtype}: give all in float32, float16 or bfloat16.")
    if not 0 < q.shape[-1] <= 256:
        raise ValueError(f"Heads {q.shape[-1]} wide do not fit a tile: give 1 to 256.")


def _scale(scale: float | None, d: int) -> float:
    if scale is not None and scale <= 0:
        raise ValueError(f"A scale of {scale} would turn the maximum into a minimum: give a positive one.")
    return d**-0.5 if scale is None else scale


@overload
def flash_attention(
    q: Tensor, k: Tensor, v: Tensor, *, causal: bool = ..., window: tuple[int, int] | None = ...,
    scale: float | None = ..., block_mask: BlockMask | None = ..., return_lse: Literal[False] = ...,
) -> Tensor: ...  # fmt: skip
@overload
def flash_attention(
    q: Tensor, k: Tensor, v: Tensor, *, causal: bool = ..., window: tuple[int, int] | None = ...,
    scale: float | None = ..., block_mask: BlockMask | None = ..., return_lse: Literal[True],
) -> tuple[Tensor, Tensor]: ...  # fmt: skip
def flash_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    window: tuple[int, int] | None = None,
    scale: float | None = None,
    block_mask: BlockMask | None = None,
    return_lse: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """q (B, Hq, T, D), k and v (B, Hk, S, D) -> (B, Hq, T, D); with `return_lse` also LSE (B, Hq, T), float32, natural logarithm.

    Hk divides Hq: query head h reads key head h // (Hq / Hk). `causal` and `window` (left, right) are aligned to the end (see the
    module). `scale` defaults to D^-½. A query that may read no key gives 0, and LSE -inf. Any strides; a last axis that is not
    contiguous is copied. Gradients of q, k, v, also through LSE, are the same bits in every run. Raises ValueError.
    """
    _check(q, k, v, 1)
    if q.ndim != 4 or q.shape[0] != k.shape[0]:
        raise ValueError(f"q {tuple(q.shape)} and k {tuple(k.shape)} are not (B, heads, length, D) with one B.")
    left, right = band(causal, window)
    tables: list[Tensor | None] = [None] * 8
    tile = [0, 0]
    if block_mask is not None:
        if (block_mask.t, block_mask.s) != (q.shape[2], k.shape[2]):
            raise ValueError(
                f"The block mask is for {block_mask.t} × {block_mask.s} scores, these are {q.shape[2]} × {k.shape[2]}: make one for them."
            )
        tables = [None, None, *block_mask.by_rows, *block_mask.by_columns, *(block_mask.labels or (None, None))]
        tile = [block_mask.rows, block_mask.columns]
    out, lse = attention_operator(q, k, v, left, right, _scale(scale, q.shape[3]), [0, 0], tile, tables)
    return (out, lse) if return_lse else out


def flash_attention_varlen(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    *,
    causal: bool = False,
    window: tuple[int, int] | None = None,
    scale: float | None = None,
) -> Tensor:
    """q (total_q, Hq, D), k and v (total_k, Hk, D) -> (total_q, Hq, D): sequence b is rows cu[b] … cu[b + 1] - 1 of each.

    `cu_seqlens` (B + 1,), int32, rise from 0 to the total; `max_seqlen` are at least the longest sequence. Raises ValueError.
    """
    _check(q, k, v, 1)
    if q.ndim != 3 or cu_seqlens_q.shape != cu_seqlens_k.shape or cu_seqlens_q.ndim != 1:
        raise ValueError("q, k, v are (total, heads, D) and both cu_seqlens (B + 1,); give them so.")
    if not cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32:
        raise ValueError(f"cu_seqlens are {cu_seqlens_q.dtype} and {cu_seqlens_k.dtype}: give int32.")
    left, right = band(causal, window)
    tables = [cu_seqlens_q, cu_seqlens_k, *[None] * 6]
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
    found, _ = attention_operator(
        q, k, v, left, right, _scale(scale, q.shape[3]), [max_seqlen_q, max_seqlen_k], [0, 0], tables
    )
    return found[0].transpose(0, 1)
