"""Cross-entropy of logits and class numbers.

Idea      Softmax and the logarithm of its chosen entry in one operation: the gradient is what the model believes less what
          was true, with no division by a small probability.
Equation  L = -1/n Σᵢ ln softmax(zᵢ)[yᵢ]      z̄ = L̄/n (softmax(z) - onehot(y))
Paper     I. J. Good, "Rational decisions", J. R. Stat. Soc. B 14, 1952 (the logarithmic score); J. Bridle, NATO ASI 1990.
Cost      Keeps the probabilities, n·V numbers; the backward pass is one pass over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import neg
from mlsys_core.autodiff.ops.fused import fused
from mlsys_core.autodiff.ops.index import getitem
from mlsys_core.autodiff.ops.reduce import mean
from mlsys_core.autodiff.ops.softmax import log_softmax
from mlsys_core.autodiff.tape import Array, asarray
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def _definition(logits: Tensor, targets: Array) -> Tensor:
    return neg(mean(getitem(log_softmax(logits), (np.arange(len(targets)), targets))))


def _vjp(g: Array, out: Tensor) -> tuple[Any, ...]:
    (targets,), probabilities = out.saved
    scale = g / len(targets)
    share = probabilities * scale
    share[np.arange(len(targets)), targets] -= scale
    return (share,)


CROSS_ENTROPY = fused("cross_entropy", _definition, _vjp)


def cross_entropy(logits: Any, targets: Any) -> Tensor:
    """Mean of -ln softmax(logits)[target] over n rows: logits (n, V), integer targets (n,) -> ().

    Raises ValueError when the shapes do not fit or there are no rows, IndexError for a target outside of 0 … V-1.
    """
    logits = tensor(logits)
    labels = asarray(targets.data if isinstance(targets, Tensor) else targets)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not labels.size:
        raise ValueError(f"Logits are (n, V) and targets (n,) with n ≥ 1; these are {logits.shape} and {labels.shape}.")
    # numpy would count from the end
    if (labels < 0).any():
        raise IndexError("A target is negative: targets are numbers of classes, from 0.")
    shifted = logits.data - logits.data.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    probabilities = np.exp(shifted, out=shifted)
    total = probabilities.sum(axis=1)
    loss = (np.log(total) - chosen).mean()
    probabilities /= total[:, None]
    return record(CROSS_ENTROPY, loss, (logits,), ((labels,), probabilities))
