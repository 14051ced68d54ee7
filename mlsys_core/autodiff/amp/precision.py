"""Sixteen-bit numbers: float16, and bfloat16 emulated on the bits of float32.

Idea      float16 has 5 bits of exponent and 10 of fraction: fine steps, and nothing below 6·10⁻⁸ or above 65,504. bfloat16 has 8
          and 7: the range of float32 in coarse steps. It is the upper half of a float32, rounded to nearest, ties to even.
Equation  bf16(b) = (b + 0x7FFF + (b >> 16 & 1)) >> 16 for the 32 bits b of a number; NaN stays NaN
Paper     S. Wang, P. Kanwar, "BFloat16: the secret to high performance on Cloud TPUs", 2019; D. Kalamkar et al., "A study of
          BFLOAT16 for deep learning training", arXiv:1905.12322, 2019; IEEE 754-2019.
Cost      Rounding is one pass. numpy has no bfloat16, so its numbers are kept as float32 whose lower half is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlsys_core.autodiff.tape import Array


def narrowed(x: Any, dtype: Any) -> Array:
    """x as another type; what is too large becomes infinite without a word."""
    with np.errstate(over="ignore"):
        return np.asarray(x).astype(dtype)


def bfloat16_bits(x: Any) -> Array:
    """The bits of x as bfloat16: uint16 of the same shape, rounded to nearest, ties to even."""
    wide = narrowed(np.ascontiguousarray(x), np.float32).reshape(np.shape(x))
    bits = wide.view(np.uint32)
    # the sum cannot overflow but for NaN: the largest finite number rounds to the bits of infinity
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
    return np.where(np.isnan(wide), quiet, rounded).astype(np.uint16)


def from_bfloat16_bits(bits: Any) -> Array:
    """float32 numbers from the bits of bfloat16, exactly."""
    return (np.asarray(bits, dtype=np.uint32) << np.uint32(16)).view(np.float32)


def _bfloat16(x: Any) -> Array:
    return from_bfloat16_bits(bfloat16_bits(x))


def _float16(x: Any) -> Array:
    return narrowed(x, np.float16)


def _float32(x: Any) -> Array:
    return narrowed(x, np.float32)


@dataclass(frozen=True, slots=True)
class Precision:
    """A type of working numbers: `round` gives an array of it, `dtype` is how numpy keeps it, `bits` its true size."""

    name: str
    round: Callable[[Any], Array]
    dtype: np.dtype[Any]
    bits: int


FLOAT16 = Precision("float16", _float16, np.dtype(np.float16), 16)
BFLOAT16 = Precision("bfloat16", _bfloat16, np.dtype(np.float32), 16)
FLOAT32 = Precision("float32", _float32, np.dtype(np.float32), 32)
