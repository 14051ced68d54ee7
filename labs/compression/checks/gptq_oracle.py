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
    k, order = w.shape[1], order_of(h, act_order=act_order)
    inverse, w = np.linalg.inv(damped(h, damp))[order][:, order], np.where(np.diag(h) == 0, 0, w)[:, order]
    group, q, group_of, grids = group or k, np.zeros(w.shape, np.int32), np.zeros(k, np.int64), []
    for i, column in enumerate(order):
        if i % group == 0:
            grids.append(grid(w[:, i : i + group], bits))
        scale, zero = grids[-1]
        code, later = np.clip(np.round(w[:, i] / scale) + zero, 0, 2**bits - 1), slice(i + 1, None)
        lost = (w[:, i] - (code - zero) * scale) / inverse[i, i]
        w[:, later] -= np.outer(lost, inverse[i, later])
        inverse[later, later] -= np.outer(inverse[later, i], inverse[i, later]) / inverse[i, i]
        q[:, column], group_of[column] = code, i // group
    scales, zeros = (np.stack(one, 1) for one in zip(*grids, strict=True))
    return {"q": q, "scale": scales, "zero": zeros, "group_of": group_of}


def nearest(w: Array, bits: int) -> Answer:
    """Rounding to nearest on one grid a row: what an identity for a Hessian gives."""
    scale, zero = (one[:, None] for one in grid(w, bits))
    q = np.clip(np.round(w / scale) + zero, 0, 2**bits - 1).astype(np.int32)
    return {"q": q, "scale": scale, "zero": zero, "group_of": np.zeros(w.shape[1], np.int64)}


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
    # grids within a matrix are found from weights that moved: float64 times what the damped inverse makes of it
    expect.close(field(expect, got, "scale"), want["scale"], what=f"scales{place}", rtol=1e-7, atol=0)
    expect.close(field(expect, got, "zero"), want["zero"], what=f"zeros{place}", rtol=0, atol=0)
    expect.close(field(expect, got, "q"), want["q"], what=f"codes{place}", rtol=0, atol=0)
    expect.that(field(expect, got, "kept") is True, "an input changed")
