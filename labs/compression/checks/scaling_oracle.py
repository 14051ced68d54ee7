"""Task 4: eight bits times eight bits, and the search of AWQ, in float64."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def smooth_scales(x_max: Array, w_max: Array, alpha: float) -> Array:
    """By logarithms: what the powers come to."""
    return np.exp(alpha * np.log(np.maximum(x_max, 1e-5)) - (1 - alpha) * np.log(np.maximum(w_max, 1e-5)))


def rows(x: Array) -> tuple[Array, Array]:
    """Codes and scales of each row by itself."""
    scale = np.array([[np.abs(row).max() / 127 or 1.0] for row in x], x.dtype)
    return np.round(x / scale).astype(np.int8), scale


def linear(x: Array, w: Array) -> Array:
    """Both rounded, multiplied as whole numbers, scaled back."""
    (a, a_scale), (b, b_scale) = rows(x), rows(w)
    return (a.astype(np.int64) @ b.astype(np.int64).T) * (a_scale.astype(np.float64) * b_scale.astype(np.float64).T)


def fake_quantize(w: Array, bits: int, group: int) -> Array:
    """Weights of rounding to nearest by group, asymmetric."""
    cut = w.reshape(len(w), -1, group)
    low, high = np.minimum(cut.min(2, keepdims=True), 0), np.maximum(cut.max(2, keepdims=True), 0)
    scale = np.where(high > low, (high - low) / (2**bits - 1), 1.0).astype(w.dtype)
    zero = np.round(-low / scale)
    return ((np.clip(np.round(cut / scale) + zero, 0, 2**bits - 1) - zero) * scale).reshape(w.shape)


def awq_scales(x: Array, alpha: float) -> Array:
    """Scales of one exponent, the product of whose largest and smallest is 1."""
    s = np.maximum(np.abs(x).mean(0), 1e-4) ** alpha
    return s / np.sqrt(s.max() * s.min())


def awq_error(w: Array, x: Array, s: Array, bits: int, group: int) -> float:
    """Mean squared error of the outputs with these scales."""
    return float(((x @ (fake_quantize(w * s, bits, group) / s - w).T) ** 2).mean())


def awq(w: Array, x: Array, bits: int, group: int, steps: int) -> tuple[Array, float, float]:
    """The best scales, their exponent, their error."""
    tried = [awq_scales(x, step / steps) for step in range(steps)]
    errors = [awq_error(w, x, s, bits, group) for s in tried]
    best = int(np.argmin(errors))
    return tried[best], best / steps, errors[best]
