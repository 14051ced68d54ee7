"""Round to nearest: a number becomes an integer of a few bits, a scale, and where zero lies.

Idea      The range of some weights is cut into equal steps, 2^b - 1 at most, and each weight goes to the nearest end of one. The fewer
          weights share a range, the finer its steps are: those of a matrix, of one output (a row), or of a group of neighbours in a row.
Equation  symmetric:  s = max|w| / (2^(b-1) - 1), q = round(w / s), ŵ = q s
          asymmetric: s = (max(w, 0) - min(w, 0)) / (2^b - 1), z = round(-min(w, 0) / s), q = round(w / s) + z, ŵ = (q - z) s
          |w - ŵ| ≤ s / 2 for every weight
Paper     B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018,
          section 2.1; T. Dettmers, L. Zettlemoyer, "The case for 4-bit precision", ICML 2023 (groups).
Cost      `weight_bytes`: b bits a weight, and 16 for a scale and, where there is one, b for a zero of each group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Per = Literal["tensor", "channel", "group"]
SCALE_BITS = 16


@dataclass(frozen=True)
class Scheme:
    """How a matrix (n, k) is rounded: to `bits` (2 to 8), about zero or not, with a range `per` tensor, channel (row) or group.

    A group is `group_size` neighbours of a row; the last one of a row is shorter where they do not divide it.
    """

    bits: int = 4
    symmetric: bool = False
    per: Per = "channel"
    group_size: int = 128

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise ValueError(f"{self.bits} bits cannot be rounded to here: give 2 to 8.")
        if self.per not in ("tensor", "channel", "group"):
            raise ValueError(f"A range for each {self.per!r} is not known: give tensor, channel or group.")
        if self.group_size < 1:
            raise ValueError(f"A group of {self.group_size} weights is empty: give 1 or more.")

    @property
    def lowest(self) -> int:
        """The smallest code."""
        return -self.highest if self.symmetric else 0

    @property
    def highest(self) -> int:
        """The largest code."""
        return (1 << self.bits - 1) - 1 if self.symmetric else (1 << self.bits) - 1

    def width(self, k: int) -> int:
        """Neighbours in a row of k that share a scale."""
        return min(self.group_size, k) if self.per == "group" else k

    def encode(self, w: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        """The nearest codes, as floats; all of one form, or of forms that fit."""
        return ((w / scale).round() + zero).clamp(self.lowest, self.highest)


@dataclass(frozen=True)
class Quantized:
    """Codes (n, k), int8 or uint8, with scale and zero (n, groups) of the weights' type; (1, 1) where the whole tensor shares them."""

    codes: Tensor
    scale: Tensor
    zero: Tensor
    scheme: Scheme

    def dequantize(self) -> Tensor:
        """The weights (n, k) that the codes stand for."""
        scale, zero = (spread(x, self.codes.shape[1], self.scheme) for x in (self.scale, self.zero))
        return decode(self.codes.to(scale.dtype), scale, zero)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, codes packed."""
        rows, columns = self.codes.shape
        return weight_bytes(rows, columns, self.scheme)


def decode(codes: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """(q - z) s."""
    return (codes - zero) * scale


def spread(x: Tensor, k: int, scheme: Scheme) -> Tensor:
    """A number of each group (n, groups) -> the same for each weight (n, k); one for all stays one."""
    return x if x.shape[1] == 1 else x.repeat_interleave(scheme.width(k), dim=1)[:, :k]


def ranges(w: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Scale and zero of the groups of w (n, k), each (n, groups) or (1, 1); a group of zeros has scale 1."""
    if scheme.per == "tensor":
        low, high = w.amin().reshape(1, 1), w.amax().reshape(1, 1)
    else:
        parts = w.split(scheme.width(w.shape[1]), dim=1)
        low, high = (torch.stack([getattr(p, name)(1) for p in parts], 1) for name in ("amin", "amax"))
    low, high = low.clamp(max=0), high.clamp(min=0)
    extent = torch.maximum(-low, high) if scheme.symmetric else high - low
    scale = extent / scheme.highest
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = torch.zeros_like(scale) if scheme.symmetric else (-low / scale).round()
    return scale, zero


def check(w: Tensor) -> None:
    """Raises ValueError for what is no matrix of floats (n, k), and for numbers that are not finite."""
    if w.ndim != 2 or not w.numel() or not w.is_floating_point():
        raise ValueError(f"{tuple(w.shape)} of {w.dtype} is no matrix of weights: give floats (n, k).")
    if not bool(torch.isfinite(w).all()):
        raise ValueError(
            "Some weights are infinite or no numbers, so they have no range to cut: look where they come from."
        )


def quantize(w: Tensor, scheme: Scheme) -> Quantized:
    """w (n, k), floating -> its nearest codes. Raises ValueError for another form, and for numbers that are not finite."""
    check(w)
    scale, zero = ranges(w, scheme)
    codes = scheme.encode(w, *(spread(x, w.shape[1], scheme) for x in (scale, zero)))
    return Quantized(codes.to(code_type(scheme)), scale, zero, scheme)


def code_type(scheme: Scheme) -> torch.dtype:
    """What the codes are kept in."""
    return torch.int8 if scheme.symmetric else torch.uint8


def weight_bytes(n: int, k: int, scheme: Scheme) -> int:
    """Bytes of a matrix (n, k): codes in `bits`, and for each group a scale of 16 bits and, if asymmetric, a zero of `bits`."""
    groups = 1 if scheme.per == "tensor" else n * -(-k // scheme.width(k))
    bits = n * k * scheme.bits + groups * (SCALE_BITS + (0 if scheme.symmetric else scheme.bits))
    return -(-bits // 8)
