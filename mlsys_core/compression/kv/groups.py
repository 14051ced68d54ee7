"""Numbers of a cache in two, four or eight bits: a scale and a lowest value for each group of neighbours, codes that share bytes.

Idea      Between the lowest and the highest number of a group lie 2^b evenly spaced values; a number is replaced by the nearest. The
          fewer numbers share a scale, the closer the values; the more bytes the scales take.
Equation  s = (max - min) / (2^b - 1),  c = round((x - min) / s),  x̂ = c s + min;   |x - x̂| ≤ s / 2 but for the rounding of s and min
Paper     Z. Liu et al., "KIVI: a tuning-free asymmetric 2bit quantization for KV cache", ICML 2024, section 3.
Cost      `group_bits` a number: b + 32 / group, with scale and minimum of 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BITS = (2, 4, 8)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes (…, m), integers below 2^bits, -> (…, m · bits / 8) uint8; the first of those that share a byte is in its lowest bits.

    Raises ValueError for a width that does not fill bytes.
    """
    shared = _shared(bits)
    if codes.shape[-1] % shared:
        raise ValueError(f"{codes.shape[-1]} codes of {bits} bits do not fill bytes: give a multiple of {shared}.")
    shifts = bits * torch.arange(shared, dtype=torch.uint8, device=codes.device)
    return (codes.to(torch.uint8).unflatten(-1, (-1, shared)) << shifts).sum(-1, dtype=torch.uint8)


def unpack(packed: Tensor, bits: int) -> Tensor:
    """The inverse: (…, m · bits / 8) uint8 -> codes (…, m) uint8."""
    shifts = bits * torch.arange(_shared(bits), dtype=torch.uint8, device=packed.device)
    return (packed[..., None] >> shifts & (2**bits - 1)).flatten(-2)


def _shared(bits: int) -> int:
    """Codes in a byte."""
    if bits not in BITS:
        raise ValueError(f"Codes of {bits} bits are not packed here: choose 2, 4 or 8.")
    return 8 // bits


@dataclass(frozen=True)
class Groups:
    """packed (…, m · bits / 8) uint8; scale and low (…, m / group) float16."""

    bits: int
    packed: Tensor
    scale: Tensor
    low: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """All that is held."""
        return self.packed, self.scale, self.low

    def followed_by(self, other: Groups, dim: int) -> Groups:
        """Both, one after the other along a dimension; along the last one these are whole groups."""
        joined = (torch.cat(two, dim) for two in zip(self.tensors, other.tensors, strict=True))
        return Groups(self.bits, *joined)

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """Numbers (…, m)."""
        codes = unpack(self.packed, self.bits).to(dtype).unflatten(-1, (self.scale.shape[-1], -1))
        return (codes * self.scale[..., None].to(dtype) + self.low[..., None].to(dtype)).flatten(-2)


def quantize(x: Tensor, bits: int, group: int) -> Groups:
    """Numbers (…, m) in groups of `group` neighbours of the last dimension.

    Codes are those of the scale and the minimum as they are stored. Raises ValueError where groups do not fill x or bytes.
    """
    if x.shape[-1] % group:
        raise ValueError(f"{x.shape[-1]} numbers cannot be cut into groups of {group}: give a group that divides them.")
    cut = x.unflatten(-1, (-1, group))
    lowest, highest = cut.aminmax(dim=-1)
    top = 2**bits - 1
    scale, low = ((highest - lowest) / top).half(), lowest.half()
    step = torch.where(scale > 0, scale, 1).to(x.dtype)  # a group of equal numbers has code 0 everywhere
    codes = ((cut - low[..., None].to(x.dtype)) / step[..., None]).round().clamp(0, top)
    return Groups(bits, pack(codes.flatten(-2), bits), scale, low)


def group_bits(bits: int, group: int) -> float:
    """Bits a number, with its part of the scale and the minimum."""
    return bits + 32 / group
