"""Smooth activations of transformers, and dropout.

Idea      GELU weighs a number by the chance that a normal variable is below it; here in the tanh form that GPT-2 uses.
          SiLU weighs it by its own sigmoid. Dropout is a product with a random constant.
Equation  gelu(x) = ½ x (1 + tanh u),  u = √(2/π) (x + 0.044715 x³)
          gelu'(x) = ½ (1 + tanh u) + ½ x (1 - tanh² u) √(2/π) (1 + 0.134145 x²)
          silu(x) = x σ(x),  silu'(x) = σ + x σ (1 - σ)          dropout(x) = x m / (1 - p),  m ~ Bernoulli(1 - p)
Paper     D. Hendrycks, K. Gimpel, "Gaussian error linear units", arXiv:1606.08415, 2016; S. Elfwing, E. Uchibe, K. Doya,
          Neural Networks 107, 2018 (SiLU); N. Srivastava et al., "Dropout", JMLR 15, 2014.
Cost      Keeps tanh u (or σ) beside x; every pass works in place on one temporary.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import mul
from mlsys_core.autodiff.ops.elementwise import sigmoid, tanh
from mlsys_core.autodiff.ops.fused import fused
from mlsys_core.autodiff.tape import Array, asarray, primitive
from mlsys_core.autodiff.tensor import Tensor, record, tensor

ROOT = sqrt(2 / pi)
CUBE = 0.044715


def _gelu_definition(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + tanh(ROOT * (x + CUBE * x * x * x)))


def _gelu_vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    t = out.saved[1]
    x = out.parents[0].data
    slope = x * x
    slope *= 3 * CUBE * ROOT
    slope += ROOT
    slope *= x
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    slope *= g
    return (slope,)


def _silu_vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    s = out.saved[1]
    return (g * s * (1 + out.parents[0].data * (1 - s)),)


GELU = fused("gelu", _gelu_definition, _gelu_vjp)
SILU = fused("silu", lambda x: x * sigmoid(x), _silu_vjp)


def gelu(x: Any) -> Tensor:
    """The Gaussian error linear unit in its tanh form."""
    x = tensor(x)
    t = asarray(x.data * x.data)
    t *= ROOT * CUBE
    t += ROOT
    t *= x.data
    np.tanh(t, out=t)
    data = 0.5 * x.data
    return record(GELU, data * t + data, (x,), ((), t))


def silu(x: Any) -> Tensor:
    """x times its sigmoid, also called swish."""
    x = tensor(x)
    s = asarray(0.5 * x.data)
    np.tanh(s, out=s)
    s *= 0.5
    s += 0.5
    return record(SILU, x.data * s, (x,), ((), s))


@primitive(random=True)
def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.random(shape, dtype=np.float32)


def dropout(x: Any, p: float, rng: np.random.Generator, *, training: bool = True) -> Tensor:
    """Each element zero with probability p, the others divided by 1 - p; the input itself when not training."""
    if not 0 <= p < 1:
        raise ValueError(f"The probability of dropping is {p}, and it must be at least 0 and below 1.")
    given = tensor(x)
    if not training or p == 0:
        return given
    return mul(given, (_uniform(rng, given.shape) >= p).astype(given.dtype) / given.dtype.type(1 - p))
