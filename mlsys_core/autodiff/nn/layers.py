"""The layers that a transformer is made of, apart from attention.

Idea      Each layer owns its parameters and calls one operation.
Equation  Linear: x Wᵀ + b      Embedding: E[i]      LayerNorm, RMSNorm: see ops/normalize.py
Paper     Initial weights: X. Glorot, Y. Bengio, AISTATS 2010, in the uniform ±1/√fan_in form that torch uses; LayerNorm:
          J. Ba, J. Kiros, G. Hinton, arXiv:1607.06450, 2016.
Cost      Linear: 2·rows·in·out FLOPs forward, twice that backward; in·out + out parameters.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from mlsys_core.autodiff import ops
from mlsys_core.autodiff.nn.module import Module, Parameter
from mlsys_core.autodiff.tensor import Tensor


class Linear(Module):
    """x (..., inputs) -> (..., outputs); weight (outputs, inputs), bias (outputs,) or None."""

    def __init__(
        self, inputs: int, outputs: int, rng: np.random.Generator, *, bias: bool = True, dtype: Any = np.float32
    ) -> None:
        bound = 1 / sqrt(inputs)
        self.weight = Parameter(rng.uniform(-bound, bound, (outputs, inputs)), dtype)
        self.bias = Parameter(rng.uniform(-bound, bound, outputs), dtype) if bias else None

    def forward(self, *inputs: Any) -> Tensor:
        """The affine map of the last axis."""
        return ops.linear(inputs[0], self.weight, self.bias)


class Embedding(Module):
    """Integers (...) below `count` -> their rows (..., width)."""

    def __init__(self, count: int, width: int, rng: np.random.Generator, *, dtype: Any = np.float32) -> None:
        self.weight = Parameter(0.02 * rng.standard_normal((count, width)), dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Rows of the table."""
        return ops.embedding(self.weight, inputs[0])


class LayerNorm(Module):
    """x (..., width) with rows of mean 0 and variance 1, scaled and shifted by learned vectors."""

    def __init__(self, width: int, *, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        self.eps = eps
        self.weight = Parameter(np.ones(width), dtype)
        self.bias = Parameter(np.zeros(width), dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Normalised rows."""
        return ops.layer_norm(inputs[0], self.weight, self.bias, self.eps)


class RMSNorm(Module):
    """x (..., width) with rows of mean square 1, scaled by a learned vector."""

    def __init__(self, width: int, *, eps: float = 1e-6, dtype: Any = np.float32) -> None:
        self.eps = eps
        self.weight = Parameter(np.ones(width), dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Normalised rows."""
        return ops.rms_norm(inputs[0], self.weight, self.eps)


class Dropout(Module):
    """Zeroes each element with probability p while training, drawing from its own generator."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        self.p = p
        self.rng = rng

    def forward(self, *inputs: Any) -> Tensor:
        """The thinned input, or the input itself when not training."""
        return ops.dropout(inputs[0], self.p, self.rng, training=self.training)
