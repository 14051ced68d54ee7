"""Softmax, its logarithm, and the logarithm of a sum of exponentials.

Idea      The three share one rule: subtract the maximum, so that no exponential overflows and one of them is 1.
Equation  lse(x) = m + ln Σ eˣ⁻ᵐ, m = max x      s = e^{x - lse}:
          s̄ ↦ s ⊙ (s̄ - Σ s̄ s)      (x - lse)‾: l̄ ↦ l̄ - s Σ l̄      lse‾: ḡ ↦ s ḡ
Paper     P. Blanchard, D. Higham, N. Higham, "Accurately computing the log-sum-exp and softmax functions",
          IMA J. Numer. Anal. 41(4), 2021.
Cost      Three passes forward (maximum, exponential, division), two backward. The Jacobian of softmax is symmetric, so its
          jvp is its vjp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.reduce import Axis, kept, widen
from mlsys_core.autodiff.tape import Array, Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def _shifted(x: Array, axis: Axis) -> tuple[Array, Array]:
    """x less its maximum along axis, and the maximum; where that is infinite 0 is subtracted, so that -inf stays -inf."""
    if not x.size:
        return x, np.zeros(kept(x.shape, axis), x.dtype)
    top = x.max(axis=axis, keepdims=True)
    if not np.isfinite(top).all():
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
    return x - top, top


def _softmax_rule(g: Value, out: Tensor, of: Of) -> Value:
    s = of(out)
    weighted = g * s
    return weighted - s * weighted.sum(axis=out.saved[0], keepdims=True)


def _log_softmax_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    return (g - np.exp(of(out)) * g.sum(axis=out.saved[0], keepdims=True),)


def _log_softmax_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    return t[0] - (np.exp(of(out)) * t[0]).sum(axis=out.saved[0], keepdims=True)


def _weights(out: Tensor, of: Of) -> Value:
    return np.exp(of(out.parents[0]) - widen(of(out), out))


def _lse_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    return (t[0] * _weights(out, of)).sum(axis=out.saved[0]).reshape(out.data.shape)


SOFTMAX = Op(
    "softmax", lambda g, out, of: (_softmax_rule(g, out, of),), lambda t, out, of: _softmax_rule(t[0], out, of)
)
LOG_SOFTMAX = Op("log_softmax", _log_softmax_vjp, _log_softmax_jvp)
LOGSUMEXP = Op("logsumexp", lambda g, out, of: (widen(g, out) * _weights(out, of),), _lse_jvp)


def softmax(a: Any, axis: int = -1) -> Tensor:
    """Positive weights that sum to 1 along axis, in proportion to eᵃ."""
    a = tensor(a)
    weights, _ = _shifted(a.data, axis)
    weights = np.exp(weights)
    weights /= weights.sum(axis=axis, keepdims=True)
    return record(SOFTMAX, weights, (a,), (axis,))


def log_softmax(a: Any, axis: int = -1) -> Tensor:
    """The logarithm of softmax, finite where softmax itself would round to 0."""
    a = tensor(a)
    shifted, _ = _shifted(a.data, axis)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return record(LOG_SOFTMAX, shifted - total, (a,), (axis,))


def logsumexp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """ln Σ eᵃ over an axis, several, or all."""
    a = tensor(a)
    shifted, top = _shifted(a.data, axis)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(shifted).sum(axis=axis, keepdims=True)) + top
    return record(LOGSUMEXP, total if keepdims else total.squeeze(axis), (a,), (axis,))
