"""Grouped products as operators with gradients, and a layer of experts made of three of them.

Idea      The rows of all experts go through one launch a projection. The backward is two more: the gradient of the rows is a grouped
          product with the weights turned, the gradient of the weights a sum over each expert's rows.
Equation  y = Σ_i w_i W_d,e(i) (silu(W_g,e(i) x) ⊙ W_u,e(i) x) over the experts e(i) that keep the token
Paper     T. Gale et al., "MegaBlocks", MLSys 2023, section 5; N. Shazeer, "GLU variants improve transformer", arXiv 2002.05202.
Cost      `grouped_cost` for each product, `weights_cost` for each gradient of weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels.matmul.grouped import grouped_product, weights_product


@torch.library.custom_op("mlsys::grouped_matmul", mutates_args=())
def _grouped(x: Tensor, weights: Tensor, ends: Tensor, index: Tensor | None) -> Tensor:
    return grouped_product(x, weights, ends, index)


@_grouped.register_fake
def _(x: Tensor, weights: Tensor, ends: Tensor, index: Tensor | None) -> Tensor:  # noqa: ARG001
    return x.new_empty((x.shape[0] if index is None else index.shape[0], weights.shape[1]))


@torch.library.custom_op("mlsys::grouped_matmul_weights", mutates_args=())
def _grouped_weights(dy: Tensor, x: Tensor, ends: Tensor, index: Tensor | None) -> Tensor:
    return weights_product(dy, x, ends, index)


@_grouped_weights.register_fake
def _(dy: Tensor, x: Tensor, ends: Tensor, index: Tensor | None) -> Tensor:  # noqa: ARG001
    return x.new_empty((ends.shape[0], dy.shape[1], x.shape[1]))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 - torch passes it
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, weights, ends, index = ctx.saved_tensors
    dx = dw = None
    if ctx.needs_input_grad[0]:
        dx = torch.ops.mlsys.grouped_matmul(dy, weights.transpose(1, 2), ends, None)
        if index is not None:  # a row that several experts read has the sum of what they send back
            dx = torch.zeros_like(x).index_add(0, index, dx)
    if ctx.needs_input_grad[1]:
        dw = torch.ops.mlsys.grouped_matmul_weights(dy, x, ends, index)
    return dx, dw, None, None


_grouped.register_autograd(_backward, setup_context=_save)


def grouped_matmul(x: Tensor, weights: Tensor, ends: Tensor, index: Tensor | None = None) -> Tensor:
    """y[r] = x[index[r]] · weights[e]ᵀ for the rows r of expert e: x (tokens, k), weights (experts, n, k) -> (rows, n).

    ends (experts,) int32: where each expert's rows end; they ascend to the number of rows. index (rows,) int64; without it row r of x
    is row r. Differentiable in x and weights. Raises ValueError for shapes or types that do not fit; what ends and index hold is not
    looked at, which would wait for the GPU.
    """
    if x.ndim != 2 or weights.ndim != 3 or x.shape[1] != weights.shape[2]:
        raise ValueError(
            f"Rows {tuple(x.shape)} do not fit weights {tuple(weights.shape)}: give (tokens, k), (experts, n, k)."
        )
    if x.dtype != weights.dtype or not x.is_floating_point():
        raise ValueError(f"Rows are {x.dtype} and weights {weights.dtype}: give one floating-point type.")
    if ends.shape != weights.shape[:1] or ends.dtype != torch.int32:
        raise ValueError(
            f"ends is {tuple(ends.shape)} of {ends.dtype}: give one int32 for each of the {len(weights)} experts."
        )
    if index is not None and (index.ndim != 1 or index.dtype not in (torch.int32, torch.int64)):
        raise ValueError(f"index is {tuple(index.shape)} of {index.dtype}: give one dimension of int32 or int64.")
    return torch.ops.mlsys.grouped_matmul(x, weights, ends, index)


def sort_by_expert(experts: Tensor, kept: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Assignments (tokens, k) in the order of experts, earlier tokens first: token and choice (rows,), ends (count,) int32.

    experts (tokens, k) int64 below `count`, kept (tokens, k) bool: those that are not are left out.
    """
    token, choice = kept.nonzero(as_tuple=True)
    expert = experts[token, choice]
    order = expert.argsort(stable=True)
    ends = torch.bincount(expert, minlength=count).cumsum(0).to(torch.int32)
    return token[order], choice[order], ends


def experts_swiglu(
    x: Tensor, experts: Tensor, weights: Tensor, kept: Tensor, gate: Tensor, up: Tensor, down: Tensor
) -> Tensor:
    """A layer of SwiGLU experts: x (tokens, d) -> same.

    experts, weights, kept (tokens, k): whose, with which weight, and whether there is room, as the router has it; gate and up
    (experts, f, d), down (experts, d, f).
    """
    token, choice, ends = sort_by_expert(experts, kept, len(gate))
    inner = F.silu(grouped_matmul(x, gate, ends, token)) * grouped_matmul(x, up, ends, token)
    rows = grouped_matmul(inner, down, ends) * weights[token, choice][:, None]
    return torch.zeros_like(x).index_add(0, token, rows.to(x.dtype))
