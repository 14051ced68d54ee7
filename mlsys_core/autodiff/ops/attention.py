"""Scaled dot-product attention in one operation.

Idea      Each position reads a weighted mean of values, the weights a softmax of how well its query fits each key; a causal
          mask hides later positions.
Equation  P = softmax(Q Kᵀ/√d),  O = P V
          V̄ = Pᵀ Ō,  P̄ = Ō Vᵀ,  S̄ = P ⊙ (P̄ - Σ P̄ ⊙ P),  Q̄ = S̄ K/√d,  K̄ = S̄ᵀ Q/√d
Paper     A. Vaswani et al., "Attention is all you need", NeurIPS 2017.
Cost      4 T²d FLOPs a head forward, 8 T²d backward; keeps P, T² numbers a head (what FlashAttention avoids).
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.elementwise import where
from mlsys_core.autodiff.ops.fused import fused
from mlsys_core.autodiff.ops.linear import matmul
from mlsys_core.autodiff.ops.shape import swapaxes
from mlsys_core.autodiff.ops.softmax import softmax
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def causal_mask(queries: int, keys: int) -> Array:
    """True where key j is not after query i, both counted from the first position: (queries, keys)."""
    return np.tri(queries, keys, dtype=bool)


def _definition(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:  # noqa: FBT001 - a saved parameter
    scores = matmul(q, swapaxes(k, -1, -2)) * (1 / sqrt(q.shape[-1]))
    if causal:
        scores = where(causal_mask(*scores.shape[-2:]), scores, -np.inf)
    return matmul(softmax(scores), v)


def _vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    _, weights = out.saved
    q, k, v = (x.data for x in out.parents)
    v_share = weights.swapaxes(-1, -2) @ g
    scores = g @ v.swapaxes(-1, -2)
    # Σ P̄ ⊙ P over the keys is Σ Ō ⊙ O over the d features, which is shorter
    scores -= np.einsum("...td,...td->...t", g, out.data)[..., None]
    scores *= weights
    scores *= 1 / sqrt(q.shape[-1])
    return scores @ k, scores.swapaxes(-1, -2) @ q, v_share


ATTENTION = fused("attention", _definition, _vjp)


def attention(q: Any, k: Any, v: Any, *, causal: bool = False) -> Tensor:
    """softmax(q kᵀ/√d) v: q (..., T, d), k (..., S, d), v (..., S, e) with equal leading axes -> (..., T, e)."""
    q, k, v = tensor(q), tensor(k), tensor(v)
    weights = (q.data * q.data.dtype.type(1 / sqrt(q.shape[-1]))) @ k.data.swapaxes(-1, -2)
    if causal:
        weights += np.where(causal_mask(*weights.shape[-2:]), 0, -np.inf).astype(weights.dtype)
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return record(ATTENTION, weights @ v.data, (q, k, v), ((causal,), weights))
