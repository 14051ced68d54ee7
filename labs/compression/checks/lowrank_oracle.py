"""Task 6: what the best factors leave over, the levels of NF4 from the normal distribution, and codes one by one."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray


def product(expect: Any, got: Any, shape: tuple[int, int], rank: int) -> Array:
    """A times B in float64; the factors' shapes are looked at first."""
    expect.that(isinstance(got, list) and len(got) == 2, "the call returned no pair of factors")
    for name, one, want in zip(("a", "b"), got, ((shape[0], rank), (rank, shape[1])), strict=True):
        is_array = isinstance(one, np.ndarray)
        expect.that(is_array and one.shape == want, f"{name} should have the shape {want}")
        expect.that(np.isfinite(one).all(), f"{name} has values that are not finite numbers")
    return np.asarray(got[0].astype(np.float64) @ got[1])


def left_over(weight: Array, rank: int) -> float:
    """The smallest Frobenius norm that is left after `rank` directions: the length of the other singular values."""
    squares = np.linalg.eigvalsh(weight @ weight.T if weight.shape[0] < weight.shape[1] else weight.T @ weight)
    return float(np.sqrt(np.maximum(np.sort(squares)[::-1][rank:], 0).sum()))


def root(hessian: Array) -> Array:
    """The symmetric root S of H = S S: an error E of the weights has the outputs' error ‖E S‖."""
    values, vectors = np.linalg.eigh(hessian)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def best_for(missing: Array, inputs: Array, rank: int, damp: float = 0.01) -> Array:
    """The matrix (out, in) of this rank that is nearest to what is missing, by the outputs' error over inputs (letters, in)."""
    x = inputs.astype(np.float64)
    hessian = x.T @ x / len(x)
    values, vectors = np.linalg.eigh(hessian + damp * np.diag(hessian).mean() * np.eye(len(hessian)))
    half = np.sqrt(values)
    _, _, right = np.linalg.svd(missing @ vectors * half, full_matrices=False)
    return np.asarray(missing @ vectors * half @ right[:rank].T @ right[:rank] / half @ vectors.T)


def levels() -> Array:
    """NF4's sixteen, from quantiles."""
    first, law = 1 - (1 / 32 + 1 / 30) / 2, NormalDist()
    upper = [law.inv_cdf(first + (0.5 - first) * i / 8) for i in range(8)]
    lower = [-law.inv_cdf(first + (0.5 - first) * i / 7) for i in range(7)]
    return np.array(sorted([*lower, 0.0, *upper])) / upper[0]


def check_nf4(expect: Any, got: dict[str, Any], weight: Array, block: int, what: str) -> None:
    """Scales are exact, codes are the nearest level's (either of two that are as near), and back is what they stand for; all in float32."""
    flat, table = weight.ravel().astype(np.float64), levels()
    starts = range(0, flat.size, block)
    scales = np.array([np.abs(flat[at : at + block]).max() for at in starts])
    codes, back = got["codes"], got["back"]
    expect.close(got["scales"], scales.astype(np.float32), what=f"{what}: scales", rtol=1e-6, atol=0.0)
    expect.that(isinstance(codes, np.ndarray) and codes.dtype == np.uint8, f"{what}: codes are no uint8")
    expect.that(codes.shape == flat.shape and (codes < 16).all(), f"{what}: codes should be {flat.shape}, below 16")
    whole = np.repeat(scales, block)[: flat.size]
    scaled = flat / np.where(whole == 0, 1, whole)
    nearest = np.abs(scaled[:, None] - table).min(1)
    off = np.abs(scaled - table[codes]) - nearest
    worst = int(off.argmax())
    expect.that(
        off[worst] < 1e-6,
        f"{what}: {scaled[worst]:.4f} of its block's scale got the level {table[codes[worst]]:.4f}; another is nearer",
    )
    expect.close(back, (table[codes] * whole).astype(np.float32), what=f"{what}: dequantized", rtol=1e-5, atol=1e-7)


def check_scales(expect: Any, got: dict[str, Any], scales: Array, block: int, what: str) -> None:
    """Eight bits a scale: every one within half a step of its block. Tolerances are float32's, for differences from a mean."""
    codes, absmax = got["codes"], got["absmax"]
    mean = float(scales.astype(np.float64).mean())
    expect.close(got["mean"], mean, what=f"{what}: mean", rtol=1e-5, atol=1e-7)
    centred = scales - mean
    largest = np.array([np.abs(centred[at : at + block]).max() for at in range(0, scales.size, block)])
    expect.close(absmax, largest.astype(np.float32), what=f"{what}: absmax", rtol=1e-4, atol=1e-6)
    expect.that(
        isinstance(codes, np.ndarray) and codes.dtype == np.int8 and codes.shape == scales.shape,
        f"{what}: codes are no int8 of its shape",
    )
    whole = np.repeat(largest, block)[: scales.size]
    expect.close(
        got["back"], (codes / 127 * whole + mean).astype(np.float32), what=f"{what}: back", rtol=1e-4, atol=1e-6
    )
    error = np.abs(got["back"] - scales) / np.where(whole == 0, 1, whole)
    expect.that(
        error.max() < 0.502 / 127,
        f"{what}: a scale is off by {error.max() * 127:.2f} steps, and rounding is off by at most half a step",
    )
