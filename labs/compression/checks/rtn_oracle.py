"""Task 1: rounding to nearest in float64, and what any grid must satisfy."""

from __future__ import annotations

from typing import Any

import numpy as np
from answers import field

Array = np.ndarray
Answer = dict[str, Any]


def runs(columns: int, per: str, group: int) -> list[slice]:
    """The columns of each grid of a row."""
    width = group if per == "group" else columns
    return [slice(start, min(start + width, columns)) for start in range(0, columns, width)]


def quantized(w: Array, bits: int, *, symmetric: bool = True, per: str = "channel", group: int = 128) -> Answer:
    """Codes, scales and zeros, one grid after the other."""
    rows, columns = w.shape
    parts = runs(columns, per, group)
    heights = [slice(0, rows)] if per == "tensor" else [slice(row, row + 1) for row in range(rows)]
    q, scale, zero = (
        np.zeros((rows, columns), np.int32),
        np.ones((len(heights), len(parts)), w.dtype),
        np.zeros((len(heights), len(parts)), np.int32),
    )
    for i, height in enumerate(heights):
        for j, part in enumerate(parts):
            q[height, part], scale[i, j], zero[i, j] = _one_grid(w[height, part], bits, symmetric=symmetric)
    return {"q": q, "scale": scale, "zero": zero, "group": group if per == "group" else columns}


def _one_grid(w: Array, bits: int, *, symmetric: bool) -> tuple[Array, Any, int]:
    least, most = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
    low, high = (0, np.abs(w).max()) if symmetric else (min(w.min(), 0), max(w.max(), 0))
    scale = (high - low) / most if high > low else w.dtype.type(1)
    zero = 0 if symmetric else int(np.round(-low / scale))
    return np.clip(np.round(w / scale) + zero, least, most), scale, zero


def weights(got: Answer) -> Array:
    """What codes stand for, in float64."""
    run = np.arange(got["q"].shape[1]) // got["group"]
    return (got["q"].astype(np.int64) - got["zero"][:, run]) * got["scale"][:, run].astype(np.float64)


def checked(expect: Any, got: Any, w: Array, bits: int, what: str = "", **settings: Any) -> Answer:
    """Codes, scales and zeros are those of the definition; returns what came."""
    want = quantized(w, bits, **settings)
    place = f", {what}" if what else ""
    scale = field(expect, got, "scale")
    # a scale is a subtraction and a division, codes are whole numbers
    expect.close(scale, want["scale"], what=f"scales{place}", rtol=8 * float(np.finfo(w.dtype).eps), atol=0)
    expect.close(field(expect, got, "zero"), want["zero"], what=f"zeros{place}", rtol=0, atol=0)
    expect.close(field(expect, got, "q"), want["q"], what=f"codes{place}", rtol=0, atol=0)
    expect.equal(field(expect, got, "group"), want["group"], what=f"columns that share a scale{place}")
    return dict(got)


def usable(expect: Any, got: Any, w: Array, bits: int, *, parts: int) -> Answer:
    """An answer that can be turned into weights, with no more values to a grid than its bits allow: its codes say what it costs."""
    q, scale, zero, group = (field(expect, got, name) for name in ("q", "scale", "zero", "group"))
    plain = all(isinstance(one, np.ndarray) for one in (q, scale, zero)) and type(group) is int
    expect.that(plain and q.shape == w.shape and group > 0, "the call returned no codes of the matrix's shape")
    expect.that(
        q.dtype.kind == "i" and q.min() >= 0 and q.max() < 2**bits, f"codes should be whole numbers below {2**bits}"
    )
    fits = (
        scale.shape == zero.shape == (len(w), parts) and np.isfinite(scale).all() and -(-w.shape[1] // group) == parts
    )
    expect.that(fits, f"scales and zeros should be {(len(w), parts)}")
    return dict(got)
