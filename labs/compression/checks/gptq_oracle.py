"""Task 3: optimal brain quantization in a given order, by elimination: the inverse is updated after each column and never factored."""

from __future__ import annotations

from typing import Any

import numpy as np
from answers import field

Array = np.ndarray
Answer = dict[str, Any]


def grid(w: Array, bits: int) -> tuple[Array, Array]:
    """Scale and zero (n,) of each row of w (n, c)."""
    low, high = np.minimum(w.min(1), 0), np.maximum(w.max(1), 0)
    scale = np.where(high > low, (high - low) / (2**bits - 1), 1.0)
    return scale, np.round(-low / scale)


def damped(h: Array, damp: float) -> Array:
    """Ones for inputs that are always 0, and a part of the mean diagonal on the diagonal."""
    h = h.copy()
    at = np.arange(len(h))
    h[at, at] = np.where(np.diag(h) == 0, 1.0, np.diag(h))
    h[at, at] += damp * np.diag(h).mean()
    return h


def order_of(h: Array, *, act_order: bool) -> Array:
    """Columns in the order in which they are rounded."""
    return np.argsort(-np.diag(h), kind="stable") if act_order else np.arange(len(h))


def obq(w: Array, h: Array, bits: int, *, group: int = 0, act_order: bool = False, damp: float = 0.01) -> Answer:
    """Codes, scales, zeros and the run of each column."""
    w, k = w.copy(), w.shape[1]
    w[:, np.diag(h) == 0] = 0
    group, inverse, order = group or k, np.linalg.inv(damped(h, damp)), order_of(h, act_order=act_order)
    q, group_of, scales, zeros = np.zeros(w.shape, np.int32), np.zeros(k, np.int64), [], []
    for step, column in enumerate(order):
        if step % group == 0:
            scale, zero = grid(w[:, order[step : step + group]], bits)
            scales.append(scale)
            zeros.append(zero)
        code = np.clip(np.round(w[:, column] / scale) + zero, 0, 2**bits - 1)
        lost, later = (w[:, column] - (code - zero) * scale) / inverse[column, column], order[step + 1 :]
        w[:, later] -= np.outer(lost, inverse[column, later])
        inverse -= np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
        q[:, column], group_of[column] = code, step // group
    return {"q": q, "scale": np.stack(scales, 1), "zero": np.stack(zeros, 1), "group_of": group_of}


def nearest(w: Array, bits: int, group: int = 0) -> Answer:
    """Rounding to nearest on the same grids: what an identity for a Hessian gives."""
    return obq(w, np.eye(w.shape[1]), bits, group=group)


def weights(got: Answer) -> Array:
    """What codes stand for."""
    return (got["q"] - got["zero"][:, got["group_of"]]) * got["scale"][:, got["group_of"]]


def output_error(w: Array, rounded: Array, h: Array) -> float:
    """The sum over rows of (w - ŵ)ᵀ H (w - ŵ)."""
    difference = w - rounded
    return float(((difference @ h) * difference).sum())


def inputs(rng: np.random.Generator, samples: int, k: int) -> Array:
    """Correlated inputs of different sizes."""
    return rng.normal(size=(samples, k)) @ rng.normal(size=(k, k)) * rng.uniform(0.3, 2, size=k)


def second_moments(x: Array) -> Array:
    """2/N Σ x xᵀ."""
    return 2 * x.T @ x / len(x)


def usable(expect: Any, got: Any, w: Array, bits: int, group: int) -> Answer:
    """An answer that can be turned into weights: whole numbers below 2^bits on as many grids as there are runs."""
    q, scale, zero, group_of = (field(expect, got, name) for name in ("q", "scale", "zero", "group_of"))
    expect.that(all(isinstance(one, np.ndarray) for one in (q, scale, zero, group_of)), "the call returned no arrays")
    k, width = w.shape[1], group or w.shape[1]
    parts = -(-k // width)
    expect.that(
        q.shape == w.shape and q.dtype == np.int32 and q.min() >= 0 and q.max() < 2**bits,
        f"codes should be int32 {w.shape} from 0 to {2**bits - 1}",
    )
    fits = scale.shape == zero.shape == (len(w), parts) and np.isfinite(scale).all() and np.isfinite(zero).all()
    expect.that(fits, f"scales and zeros should be {(len(w), parts)}")
    named = group_of.shape == (k,) and group_of.dtype == np.int64 and group_of.min() >= 0 and group_of.max() < parts
    expect.that(
        named and np.bincount(group_of, minlength=parts).max() <= width, "a run has more columns than the group"
    )
    return dict(got)


def compared(expect: Any, got: Any, want: Answer, what: str = "") -> None:
    """Equal codes on equal grids."""
    place = f", {what}" if what else ""
    expect.close(field(expect, got, "group_of"), want["group_of"], what=f"runs of the columns{place}", rtol=0, atol=0)
    expect.close(field(expect, got, "scale"), want["scale"], what=f"scales{place}", rtol=1e-7, atol=0)
    expect.close(field(expect, got, "zero"), want["zero"], what=f"zeros{place}", rtol=0, atol=0)
    expect.close(field(expect, got, "q"), want["q"], what=f"codes{place}", rtol=0, atol=0)
    expect.that(field(expect, got, "kept") is True, "an input changed")
