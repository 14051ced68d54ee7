"""`matmul` for models: it chooses among the three kernels, knows its gradients, and is one operator to torch.compile.

Idea      Many tiles: programs that stay, where the copy engine can read the matrices. Few tiles and a long sum: the sum in parts. All
          else: one tile a program. The gradients are products too, of the same matrices turned, which is only other strides.
Equation  z = a b + bias, y = act(z);   dz = dy ⊙ act'(z), da = dz bᵀ, db = aᵀ dz, dbias = Σ_rows dz
Paper     see tiled.py, persistent.py, split_k.py
Cost      2 m n k FLOPs forward, 4 m n k backward, and 2 m n k more for silu and gelu, whose z is computed again and not kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors
from mlsys_core.kernels.matmul.persistent import fits_tma, persistent_matmul
from mlsys_core.kernels.matmul.split_k import split_k_matmul, usual_parts
from mlsys_core.kernels.matmul.tiled import tiled_matmul
from mlsys_core.kernels.matmul.tiles import ACTIVATIONS, usual_tile

METHODS = ("auto", "tiled", "persistent", "split_k", "split_k_atomic")
TYPES = (torch.float32, torch.float16, torch.bfloat16)


@torch.library.custom_op("mlsys::matmul", mutates_args=())
def _matmul(a: Tensor, b: Tensor, bias: Tensor | None, activation: str, method: str) -> Tensor:
    tile = usual_tile(a.shape[0], b.shape[1], a.element_size())
    parts = usual_parts(tile.tiles(a.shape[0], b.shape[1]), a.shape[1], tile, multiprocessors(a.device))
    if method == "auto":
        method = chosen(a, b, parts)
    if method == "tiled":
        return tiled_matmul(a, b, bias, activation)
    if method == "persistent":
        return persistent_matmul(a, b, bias, activation)
    return split_k_matmul(a, b, bias, activation, parts=max(2, parts), atomic=method == "split_k_atomic")


@_matmul.register_fake
def _(a: Tensor, b: Tensor, bias: Tensor | None, activation: str, method: str) -> Tensor:  # noqa: ARG001 - the schema's
    return a.new_empty((a.shape[0], b.shape[1]))


def chosen(a: Tensor, b: Tensor, parts: int) -> str:
    """The method for these matrices when the sum could be had in `parts`."""
    if parts > 1:
        return "split_k"
    # float32 goes through one tile a program: the copy engine gains nothing where the tensor cores are not used
    if not INTERPRETED and a.element_size() == 2 and fits_tma(a) and fits_tma(b) and b.shape[1] % 8 == 0:
        return "persistent"
    return "tiled"


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    a, b, bias, ctx.activation, ctx.method = inputs
    ctx.save_for_backward(a, b, bias, output if ctx.activation == "relu" else None)


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    a, b, bias, output = ctx.saved_tensors
    dz = _through(ctx.activation, dy, a, b, bias, output)
    da = torch.ops.mlsys.matmul(dz, b.T, None, "none", "auto") if ctx.needs_input_grad[0] else None
    db = torch.ops.mlsys.matmul(a.T, dz, None, "none", "auto") if ctx.needs_input_grad[1] else None
    dbias = dz.sum(0, dtype=torch.float32).to(dz.dtype) if bias is not None and ctx.needs_input_grad[2] else None
    return da, db, dbias, None, None


def _through(activation: str, dy: Tensor, a: Tensor, b: Tensor, bias: Tensor | None, output: Tensor | None) -> Tensor:
    """The gradient before the activation."""
    if activation == "none":
        return dy
    if output is not None:  # of relu
        return dy * (output > 0)
    z = torch.ops.mlsys.matmul(a, b, bias, "none", "auto")
    if activation == "silu":
        gate = torch.sigmoid(z)
        return dy * gate * (1 + z * (1 - gate))
    return torch.ops.aten.gelu_backward(dy, z, approximate="tanh")


_matmul.register_autograd(_backward, setup_context=_save)


def matmul(a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str = "none", method: str = "auto") -> Tensor:
    """act(a b + bias): a (m, k), b (k, n), bias (n,) of one floating-point type, any strides -> (m, n); differentiable.

    The sum is float32 and rounded once, after the activation ("none", "relu", "silu", or "gelu" with tanh). `method` is one of METHODS.
    Raises ValueError for shapes, types or names that do not fit, or matrices that the persistent kernel cannot read.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"{tuple(a.shape)} times {tuple(b.shape)} is no product: give (m, k) and (k, n).")
    if bias is not None and bias.shape != b.shape[1:]:
        raise ValueError(
            f"A bias of shape {tuple(bias.shape)} does not fit {b.shape[1]} columns: give one number for each."
        )
    kinds = {x.dtype for x in (a, b, bias) if x is not None}
    if len(kinds) > 1 or a.dtype not in TYPES:
        raise ValueError(f"The types are {sorted(map(str, kinds))}: give one of float32, float16, bfloat16 for all.")
    if activation not in ACTIVATIONS or method not in METHODS:
        raise ValueError(f"There is no {activation!r} by {method!r}: choose of {ACTIVATIONS} and {METHODS}.")
    return torch.ops.mlsys.matmul(a, b, bias, activation, method)


def matmul_reference(a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str = "none") -> Tensor:
    """The same in torch, for arguments that `matmul` takes: the twin that tests hold it against."""
    z = a.float() @ b.float()
    z = z if bias is None else z + bias.float()
    if activation == "gelu":
        z = F.gelu(z, approximate="tanh")
    elif activation != "none":
        z = F.silu(z) if activation == "silu" else F.relu(z)
    return z.to(a.dtype)
