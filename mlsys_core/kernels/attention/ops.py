"""Attention as an operator of torch, with gradients and with what torch.compile asks for.

Idea      One operator, `mlsys::flash_attention`, stands for dense, variable-length and block-sparse attention; what differs are the
          integers that it is given. Autograd saves q, k, v, the output and one number a row (LSE), and computes the scores again.
Equation  O = softmax(scale Q Kᵀ + mask) V;      LSE_i = log Σ_j exp(scale q_i · k_j) over the keys that i may read
Paper     T. Dao et al., "FlashAttention", NeurIPS 2022; T. Dao, "FlashAttention-2", ICLR 2024.
Cost      Saved for the backward: q, k, v, out and B Hq T numbers of 4 bytes; the T × S matrix is never kept. See cost.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mlsys_core.kernels.attention.launch import Problem, prepare, run_forward, run_keys, run_queries


def _problem(
    left: int, right: int, scale: float, lengths: list[int], tile: list[int], tables: list[Tensor | None]
) -> Problem:
    cu_q, cu_k, count, order, count_k, order_k, labels_q, labels_k = tables
    blocks = None
    if count is not None and order is not None and count_k is not None and order_k is not None:
        blocks = (count, order, count_k, order_k)
    labels = None if labels_q is None or labels_k is None else (labels_q, labels_k)
    return Problem(left, right, scale, cu_q, cu_k, lengths[0], lengths[1], blocks, labels, tile[0], tile[1])


def _inner(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 else x.contiguous()


@torch.library.custom_op("mlsys::flash_attention", mutates_args=())
def attention_operator(
    q: Tensor, k: Tensor, v: Tensor, left: int, right: int, scale: float, lengths: list[int], tile: list[int],
    tables: list[Tensor | None],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """out, LSE. `lengths` are the longest sequences of a varlen batch, `tile` that of a block mask, `tables` all index tensors."""
    return run_forward(_inner(q), _inner(k), _inner(v), _problem(left, right, scale, lengths, tile, tables))


@attention_operator.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, left: int, right: int, scale: float, lengths: list[int], tile: list[int],
    tables: list[Tensor | None],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return torch.empty_like(_inner(q)), q.new_empty(q.shape[:3], dtype=torch.float32)


@torch.library.custom_op("mlsys::flash_attention_backward", mutates_args=())
def backward_operator(
    grad: Tensor, grad_lse: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, left: int, right: int,
    scale: float, lengths: list[int], tile: list[int], tables: list[Tensor | None],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """dq, dk, dv."""
    problem = _problem(left, right, scale, lengths, tile, tables)
    q, k, v = _inner(q), _inner(k), _inner(v)
    if not q.numel():
        return torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    saved = prepare(_inner(grad), grad_lse.contiguous(), (q, k, v, out, lse), problem)
    return (run_queries(saved, problem), *run_keys(saved, problem))


@backward_operator.register_fake
def _(
    grad: Tensor, grad_lse: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, left: int, right: int,
    scale: float, lengths: list[int], tile: list[int], tables: list[Tensor | None],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return torch.empty_like(_inner(q)), torch.empty_like(_inner(k)), torch.empty_like(_inner(v))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q, k, v, *ctx.numbers, ctx.tables = inputs
    ctx.save_for_backward(q, k, v, *output)


def _differentiate(ctx: Any, grad: Tensor, grad_lse: Tensor) -> tuple[Any, ...]:
    found = backward_operator(grad, grad_lse, *ctx.saved_tensors, *ctx.numbers, ctx.tables)
    return (*found, *[None] * 6)


attention_operator.register_autograd(_differentiate, setup_context=_save)
