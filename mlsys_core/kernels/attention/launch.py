"""Starts the kernels of attention: descriptors where the tensors allow them, grids, and what a kernel is told.

Idea      Hopper fetches whole tiles by a descriptor, which needs steps of 16 bytes. Where a tensor has others, or a sequence ends inside
          its tensor (varlen), the kernels take pointers and masks instead, and compute the same.
Equation  programs = ceil(T / BM) · heads · batch
Paper     J. Shah et al., "FlashAttention-3", NeurIPS 2024, section 3.1 (what the tensor memory accelerator of Hopper takes over).
Cost      One launch for the forward, three for the backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from mlsys_core.kernels.attention.backward import (
    attention_backward_keys,
    attention_backward_queries,
    attention_delta,
)
from mlsys_core.kernels.attention.forward import attention_forward
from mlsys_core.kernels.attention.tile_table import Tile, forward_tile, keys_tile, queries_tile

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class Problem:
    """What to compute, beside q, k, v. Edges of the band are -1 where there is none."""

    left: int
    right: int
    scale: float
    cu_q: Tensor | None = None
    cu_k: Tensor | None = None
    max_q: int = 0
    max_k: int = 0
    blocks: tuple[Tensor, Tensor, Tensor, Tensor] | None = None  # count, order by rows; count, order by columns
    labels: tuple[Tensor, Tensor] | None = None
    rows: int = 0  # of a tile of `blocks`
    columns: int = 0


def _wide(d: int) -> int:
    return max(16, int(triton.next_power_of_2(d)))


def described(x: Tensor) -> bool:
    """Whether the tensor memory accelerator can read x (B, H, T, D): 16-byte steps, no step of zero, not empty."""
    steps = [x.stride(i) * x.element_size() for i in range(3) if x.shape[i] > 1]
    return x.numel() > 0 and x.data_ptr() % 16 == 0 and all(step % 16 == 0 and step > 0 for step in steps)


def _source(x: Tensor, block: int, tma: bool) -> Any:
    if not tma:
        return x
    size = 16 // x.element_size()
    steps = [x.stride(i) if x.shape[i] > 1 else -(-x.shape[3] // size) * size for i in range(3)]
    return TensorDescriptor(x, list(x.shape), [*steps, 1], [1, 1, block, _wide(x.shape[3])])


def _steps(x: Tensor) -> tuple[int, int, int]:
    return (x.stride(0), x.stride(1), x.stride(2))


def _flags(q: Tensor, k: Tensor, problem: Problem, tma: bool, columns: int) -> dict[str, Any]:
    plain = problem.cu_q is None and problem.blocks is None and problem.right < 0
    return {
        "EVEN": plain and k.shape[2] % columns == 0,
        "D": q.shape[3],
        "WIDE": _wide(q.shape[3]),
        "GROUP": q.shape[1] // k.shape[1],
        "LEFT": problem.left >= 0,
        "RIGHT": problem.right >= 0,
        "VARLEN": problem.cu_q is not None,
        "LIST": problem.blocks is not None,
        "LABELS": problem.labels is not None,
        "TMA": tma,
    }


def _sequences(q: Tensor, k: Tensor, problem: Problem) -> tuple[int, int, int]:
    if problem.cu_q is None:
        return q.shape[0], q.shape[2], k.shape[2]
    return problem.cu_q.shape[0] - 1, problem.max_q, problem.max_k


def _uses_tma(problem: Problem, tma: bool | None, *tensors: Tensor) -> bool:
    if problem.cu_q is not None:  # a sequence's end is not its tensor's, so a descriptor would read the neighbour
        return False
    able = all(described(x) for x in tensors)
    return able and tensors[0].is_cuda and tensors[0].element_size() == 2 if tma is None else tma and able


def run_forward(
    q: Tensor, k: Tensor, v: Tensor, problem: Problem, tile: Tile | None = None, tma: bool | None = None
) -> tuple[Tensor, Tensor]:
    """(out like q, LSE (B, Hq, T) in float32)."""
    out = torch.empty_like(q)
    lse = q.new_empty(q.shape[:3], dtype=torch.float32)
    tile = _told(problem, tile or forward_tile(q, k.shape[2], problem.right >= 0))
    tma = _uses_tma(problem, tma, q, k, v)
    batch, t, _ = _sequences(q, k, problem)
    if not batch * t * q.shape[1]:
        return out, lse
    count, order, _, _ = problem.blocks or (lse, lse, lse, lse)
    labels_q, labels_k = problem.labels or (lse, lse)
    attention_forward[(triton.cdiv(t, tile.rows), q.shape[1], batch)](
        _source(q, tile.rows, tma), _source(k, tile.columns, tma), _source(v, tile.columns, tma), out, lse,
        problem.cu_q, problem.cu_k, count, order, labels_q, labels_k, _steps(q), _steps(k), _steps(v), _steps(out),
        q.shape[2], k.shape[2], problem.left, problem.right, problem.scale * LOG2_E, q.shape[1],
        **_flags(q, k, problem, tma, tile.columns), **tile.options(),
    )  # fmt: skip
    return out, lse


@dataclass(frozen=True)
class Saved:
    """What the backward reads: the forward's tensors, the gradient of out, and δ and the LSE in base 2 from `prepare`."""

    q: Tensor
    k: Tensor
    v: Tensor
    grad: Tensor
    level: Tensor
    delta: Tensor


def prepare(
    grad: Tensor, grad_lse: Tensor, saved: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], problem: Problem
) -> Saved:
    """δ of every row, from (q, k, v, out, lse) and the gradients of out and lse."""
    q, k, v, out, lse = saved
    delta, level = torch.empty_like(lse), torch.empty_like(lse)
    batch, t, _ = _sequences(q, k, problem)
    attention_delta[(triton.cdiv(t, 64), q.shape[1], batch)](
        out, grad, lse, grad_lse, delta, level, problem.cu_q, _steps(out), _steps(grad), q.shape[2], q.shape[1],
        D=q.shape[3], WIDE=_wide(q.shape[3]), VARLEN=problem.cu_q is not None, BM=64,
    )  # fmt: skip
    return Saved(q, k, v, grad, level, delta)


def _run(
    kernel: Any, grid: tuple[int, int, int], x: Saved, results: tuple[Tensor, ...], lists: tuple[Tensor, Tensor],
    problem: Problem, tile: Tile, tma: bool | None,
) -> None:  # fmt: skip
    """One of the two kernels of the backward."""
    tma = _uses_tma(problem, tma, x.q, x.k, x.v, x.grad)
    labels_q, labels_k = problem.labels or (x.level, x.level)
    kernel[grid](
        _source(x.q, tile.rows, tma), _source(x.k, tile.columns, tma), _source(x.v, tile.columns, tma),
        _source(x.grad, tile.rows, tma), x.level, x.delta, *results, problem.cu_q, problem.cu_k, *lists,
        labels_q, labels_k, _steps(x.q), _steps(x.k), _steps(x.v), _steps(x.grad), *(_steps(y) for y in results),
        x.q.shape[2], x.k.shape[2], problem.left, problem.right, problem.scale * LOG2_E, problem.scale,
        x.q.shape[1], **_flags(x.q, x.k, problem, tma, tile.columns), **tile.options(),
    )  # fmt: skip


def run_keys(x: Saved, problem: Problem, tile: Tile | None = None, tma: bool | None = None) -> tuple[Tensor, Tensor]:
    """(dk, dv), each like its tensor."""
    dk, dv = torch.empty_like(x.k), torch.empty_like(x.v)
    tile = _told(problem, tile or keys_tile(x.q))
    batch, _, s = _sequences(x.q, x.k, problem)
    lists = problem.blocks[2:] if problem.blocks is not None else (x.level, x.level)
    _run(
        attention_backward_keys,
        (triton.cdiv(s, tile.columns), x.k.shape[1], batch),
        x,
        (dk, dv),
        lists,
        problem,
        tile,
        tma,
    )
    return dk, dv


def run_queries(x: Saved, problem: Problem, tile: Tile | None = None, tma: bool | None = None) -> Tensor:
    """dq, like q."""
    dq = torch.empty_like(x.q)
    tile = _told(problem, tile or queries_tile(x.q, problem.right >= 0))
    batch, t, _ = _sequences(x.q, x.k, problem)
    lists = problem.blocks[:2] if problem.blocks is not None else (x.level, x.level)
    _run(
        attention_backward_queries,
        (triton.cdiv(t, tile.rows), x.q.shape[1], batch),
        x,
        (dq,),
        lists,
        problem,
        tile,
        tma,
    )
    return dq


def _told(problem: Problem, tile: Tile) -> Tile:
    """The tile, or that of the block mask: its lists are of tiles of one size."""
    if problem.blocks is None:
        return tile
    return Tile(problem.rows, problem.columns, 8 if problem.rows >= 128 else 4, 1)
