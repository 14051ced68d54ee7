"""Attention as it is defined, in numpy and float64: the whole matrix of scores."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def visible_pairs(n: int, m: int, *, causal: bool, mask: Array | None = None) -> Array:
    """Which of n queries sees which of m keys: (n, m)."""
    seen = np.arange(m) <= np.arange(n)[:, None] + m - n if causal else np.ones((n, m), bool)
    return seen if mask is None else seen & mask


def attention(q: Array, k: Array, v: Array, visible: Array, scale: float | None = None) -> tuple[Array, Array]:
    """Output (H, N, D) and the log of the sum of exponentials (H, N); k and v have as many heads as q, or divide them."""
    group = len(q) // len(k)
    q, k, v = (one.astype(np.float64) for one in (q, k, v))
    k, v = (np.repeat(one, group, axis=0) for one in (k, v))
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = np.where(visible, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True, initial=-1e300)
    shares = np.exp(scores - top)
    total = shares.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        lse = np.log(total[..., 0]) + top[..., 0]
    return shares / np.where(total == 0, 1, total) @ v, lse


def log_sum_exp(x: Array) -> Array:
    """Over the last axis; -∞ where every entry is."""
    top = x.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0])
