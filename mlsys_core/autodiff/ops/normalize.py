"""Layer normalisation and root-mean-square normalisation over the last axis.

Idea      Each row is brought to mean 0 and variance 1 (LayerNorm) or to mean square 1 (RMSNorm), then scaled and shifted.
Equation  x̂ = (x - μ) r,  r = (σ² + ε)^-½,  y = x̂ γ + β
          x̄ = r (ŷ - mean ŷ - x̂ mean(ŷ x̂)),  ŷ = ȳ γ       γ̄ = Σ ȳ x̂,  β̄ = Σ ȳ        (RMSNorm: no means of x and ŷ)
Paper     J. Ba, J. Kiros, G. Hinton, "Layer normalization", arXiv:1607.06450, 2016;
          B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.
Cost      Keeps x̂ and r, one array of the input's size; sums along rows are made as products with a vector of ones, which
          BLAS does several times faster than numpy's pairwise sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import pow  # noqa: A004
from mlsys_core.autodiff.ops.fused import fused
from mlsys_core.autodiff.ops.reduce import mean
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def _row_mean(x: Array) -> Array:
    """Mean of each row of (n, d) as (n, 1)."""
    d = x.shape[-1]
    return x @ np.full((d, 1), 1 / d if d else 0, x.dtype)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1]) if x.size else x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


def _layer_norm_vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    _, unit, r = out.saved
    x, weight, bias = out.parents
    rows = _rows(g)
    product = rows * unit
    share = None
    if x.requires_grad:
        scale = weight.data[:, None] / len(weight.data)
        share = rows * weight.data
        share -= rows @ scale
        share -= unit * (product @ scale)
        share *= r
        share = share.reshape(g.shape)
    return (
        share,
        product.sum(axis=0) if weight.requires_grad else None,
        rows.sum(axis=0) if bias.requires_grad else None,
    )


def _rms_norm_vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    _, unit, r = out.saved
    weight = out.parents[1]
    rows = _rows(g)
    product = rows * unit
    share = rows * weight.data
    share -= unit * (product @ (weight.data[:, None] / len(weight.data)))
    share *= r
    return share.reshape(g.shape), product.sum(axis=0)


def _layer_norm_definition(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    centred = x - mean(x, -1, keepdims=True)
    return centred * pow(mean(centred * centred, -1, keepdims=True) + eps, -0.5) * weight + bias


def _rms_norm_definition(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * pow(mean(x * x, -1, keepdims=True) + eps, -0.5) * weight


LAYER_NORM = fused("layer_norm", _layer_norm_definition, _layer_norm_vjp)
RMS_NORM = fused("rms_norm", _rms_norm_definition, _rms_norm_vjp)


def _reciprocal_root(rows: Array, eps: float) -> Array:
    """(mean square + eps)^-½ of each row, as (n, 1)."""
    square = np.einsum("nd,nd->n", rows, rows)[:, None]
    square /= rows.shape[-1]
    square += eps
    np.sqrt(square, out=square)
    root: Array = np.reciprocal(square, out=square)
    return root


def layer_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Rows of x (..., d) with mean 0 and variance 1, times weight (d,), plus bias (d,); variance is the biased one."""
    x = tensor(x)
    weight = tensor(np.ones(x.shape[-1:], x.dtype) if weight is None else weight)
    bias = tensor(np.zeros(x.shape[-1:], x.dtype) if bias is None else bias)
    rows = _rows(x.data)
    unit = rows - _row_mean(rows)
    r = _reciprocal_root(unit, eps)
    unit *= r
    data = unit * weight.data
    data += bias.data
    return record(LAYER_NORM, data.reshape(x.shape), (x, weight, bias), ((eps,), unit, r))


def rms_norm(x: Any, weight: Any = None, eps: float = 1e-6) -> Tensor:
    """Rows of x (..., d) with mean square 1, times weight (d,)."""
    x = tensor(x)
    weight = tensor(np.ones(x.shape[-1:], x.dtype) if weight is None else weight)
    rows = _rows(x.data)
    r = _reciprocal_root(rows, eps)
    unit = rows * r
    return record(RMS_NORM, (unit * weight.data).reshape(x.shape), (x, weight), ((eps,), unit, r))
