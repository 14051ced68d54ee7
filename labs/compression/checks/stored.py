"""Task 8: what one stored weight stands for, and how many bytes it has."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def looked_at(expect: Any, one: Any, shape: tuple[int, ...], name: str) -> tuple[Array, float]:
    """The weight (out, in) in float32 and its bytes; every part is looked at first."""
    expect.that(
        isinstance(one, dict) and {"bits", "codes", "scale", "zero"} <= set(one),
        f"{name}: bits, codes, scale or zero are missing",
    )
    expect.that(
        set(one) <= {"bits", "codes", "scale", "zero", "mask", "a", "b"}, f"{name}: unknown parts in {sorted(one)}"
    )
    rows, width = shape
    bits, codes, scale, zero = (one[part] for part in ("bits", "codes", "scale", "zero"))
    expect.that(type(bits) is int and 1 <= bits <= 8, f"{name}: bits should be a number from 1 to 8")
    _expect_array(expect, codes, (rows, width), np.uint8, f"{name}: codes")
    expect.that(int(codes.max()) < 2**bits, f"{name}: a code has more than {bits} bits")
    groups = scale.shape[1] if isinstance(scale, np.ndarray) and scale.ndim == 2 else 0
    expect.that(groups and width % groups == 0, f"{name}: scale should be (out, in / g)")
    for part, array in (("scale", scale), ("zero", zero)):
        _expect_array(expect, array, (rows, groups), np.float16, f"{name}: {part}")
    wide = [np.repeat(array.astype(np.float32), width // groups, 1) for array in (scale, zero)]
    with np.errstate(all="ignore"):
        weight, stays, size = codes * wide[0] + wide[1], codes.size, 2.0 * (scale.size + zero.size)
    if "mask" in one:
        _expect_array(expect, one["mask"], (rows, width), np.bool_, f"{name}: mask")
        weight, stays, size = np.where(one["mask"], weight, 0), int(one["mask"].sum()), size + codes.size / 8
    if "a" in one or "b" in one:
        a, b = one.get("a"), one.get("b")
        rank = a.shape[1] if isinstance(a, np.ndarray) and a.ndim == 2 else 0
        _expect_array(expect, a, (rows, rank), np.float16, f"{name}: a")
        _expect_array(expect, b, (rank, width), np.float16, f"{name}: b")
        weight, size = weight + a.astype(np.float32) @ b.astype(np.float32), size + 2.0 * (a.size + b.size)
    expect.that(np.isfinite(weight).all(), f"{name}: the weight has values that are not finite numbers")
    return weight.astype(np.float32), size + stays * bits / 8


def _expect_array(expect: Any, array: Any, shape: tuple[int, ...], dtype: Any, what: str) -> None:
    right = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
    expect.that(right, f"{what} should be {np.dtype(dtype)} {shape}")
