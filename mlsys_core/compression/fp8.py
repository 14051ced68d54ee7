"""Eight bits as a float: four for the exponent, three after the point, no infinity, 448 the largest.

Idea      Integers have one step everywhere; floats have a step that grows with the number, so small numbers keep their digits beside large
          ones. A tensor or its rows are scaled so that the largest number is 448, and then each goes to the nearest that e4m3 has.
Equation  step(v) = 2^(max(⌊log2 |v|⌋, -6) - 3);   v̂ = step · round(v / step), cut at ±448;
          |v - v̂| ≤ max(2^-4 |v|, 2^-10) up to 448
Paper     P. Micikevicius et al., "FP8 formats for deep learning", arXiv 2209.05433, section 3, table 1.
Cost      8 bits a number, 32 for a scale.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

LARGEST = 448.0
DIGITS, SMALLEST_EXPONENT = 3, -6


def round_e4m3(v: Tensor) -> Tensor:
    """The nearest numbers of e4m3, ties to the even one, in the type of v; beyond 448 it is ±448. NaN stays what it is."""
    exact = v.double().clamp(-LARGEST, LARGEST)
    _, exponent = torch.frexp(exact)  # |v| = m 2^e, m in [1/2, 1)
    step = torch.ldexp(torch.ones_like(exact), (exponent - 1).clamp(min=SMALLEST_EXPONENT) - DIGITS)
    return ((exact / step).round() * step).to(v.dtype)


def fp8_scale(w: Tensor, per: Literal["tensor", "channel"] = "channel") -> Tensor:
    """max|w| / 448 of w (n, k): (n, 1) for rows, (1, 1) for the whole; zeros have scale 1. Raises ValueError for anything else."""
    if w.ndim != 2 or per not in ("tensor", "channel"):
        raise ValueError(f"{tuple(w.shape)} has no scale per {per!r}: give (n, k), and tensor or channel.")
    peak = w.abs().amax(1, keepdim=True) if per == "channel" else w.abs().amax().reshape(1, 1)
    return torch.where(peak > 0, peak / LARGEST, torch.ones_like(peak))


def fp8_round_trip(w: Tensor, per: Literal["tensor", "channel"] = "channel") -> Tensor:
    """What is left of w (n, k) when it is kept in e4m3 with such a scale."""
    scale = fp8_scale(w, per)
    return round_e4m3(w / scale) * scale
