"""NF4: four bits whose levels are quantiles of the normal distribution, with scales that are quantized again.

Idea      Trained weights are nearly normally distributed, so levels that are about equally likely under the normal distribution use four
          bits better than levels at equal distances. Blocks of 64 weights share a scale, their largest magnitude. A scale of 32 bits for 64
          weights is half a bit a weight; scales are all positive and much alike, so they are quantized in turn: 8 bits each once their
          mean is taken off, and a factor for 256 of them.
Equation  levels: Φ⁻¹ at 9 even places from 1/2 to δ and -Φ⁻¹ at 8, zero once, over the largest; δ = 1 - (1/30 + 1/32) / 2
          w ≈ level[q] · c_block,   c_block ≈ mean + s · c₈
Paper     T. Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023, section 3; appendix E prints the levels.
Cost      `nf4_bits`: 4 + 32/64 = 4.5 bits a weight, or 4 + 8/64 + 32/(64 · 256) = 4.127 with scales quantized.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

LARGEST = 448.0  # of torch.float8_e4m3fn


@cache
def NF4_LEVELS() -> Tensor:  # noqa: N802 - a constant that is computed once
    """The sixteen levels in float32, from -1 to 1, with 0 among them; asymmetric, since 16 is even and 0 is one of them."""
    most = 1 - (1 / 30 + 1 / 32) / 2
    above = torch.special.ndtri(torch.linspace(0.5, most, 9, dtype=torch.float64))
    below = -torch.special.ndtri(torch.linspace(0.5, most, 8, dtype=torch.float64))
    return (torch.cat((below.flip(0)[:-1], above)) / above[-1]).float()


@dataclass(frozen=True)
class Scales:
    """Scales (b) quantized to eight bits: codes (b) of float8_e4m3fn, a factor (⌈b / second⌉) of float32 each `second`, and a mean."""

    codes: Tensor
    factors: Tensor
    mean: Tensor
    second: int

    def dequantize(self) -> Tensor:
        """float32 (b)."""
        each = self.factors.repeat_interleave(self.second)[: len(self.codes)]
        return self.codes.float() * each + self.mean


@dataclass(frozen=True)
class NF4:
    """A tensor of `shape` in four bits: two codes a byte, the first in the low half, and a scale for each `block` codes."""

    codes: Tensor
    scales: Tensor | Scales
    shape: torch.Size
    block: int

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept."""
        s = self.scales
        kept = (s,) if isinstance(s, Tensor) else (s.codes, s.factors, s.mean)
        return int(self.codes.nbytes) + sum(int(tensor.nbytes) for tensor in kept)

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The weights that the codes stand for, of `shape`."""
        codes = torch.stack((self.codes & 15, self.codes >> 4), 1).flatten().long()
        scales = self.scales if isinstance(self.scales, Tensor) else self.scales.dequantize()
        values = NF4_LEVELS().to(codes.device)[codes].unflatten(0, (-1, self.block)) * scales[:, None]
        return values.flatten()[: self.shape.numel()].view(self.shape).to(dtype)


def quantize_nf4(weight: Tensor, block: int = 64, second: int | None = 256) -> NF4:
    """weight of any shape -> NF4. Each code is the nearest level of the weight over its block's scale, as it will be read.

    `second` scales share a factor when scales are quantized too; None leaves them in float32. Raises ValueError for an odd block, and where
    a weight is no number.
    """
    if block < 2 or block % 2:
        raise ValueError(f"Blocks of {block} do not fill bytes: give an even number of weights.")
    if not bool(weight.isfinite().all()):
        raise ValueError(
            "A weight is infinite or no number, so its block has no scale: look for where training went wrong."
        )
    flat = weight.detach().float().flatten()
    blocks = F.pad(flat, (0, -len(flat) % block)).unflatten(0, (-1, block))
    largest = blocks.abs().amax(1)
    scales = largest if second is None else quantize_scales(largest, second)
    read = scales if isinstance(scales, Tensor) else scales.dequantize()
    share = torch.where(read[:, None] > 0, blocks / read[:, None], 0.0)
    codes = nearest_level(share).flatten()
    return NF4(codes[::2] | codes[1::2] << 4, scales, weight.shape, block)


def nearest_level(share: Tensor) -> Tensor:
    """Numbers of any shape -> uint8, the place of the nearest level; halfway to the lower one."""
    levels = NF4_LEVELS().to(share.device)
    return torch.bucketize(share.contiguous(), (levels[1:] + levels[:-1]) / 2).to(torch.uint8)


def quantize_scales(scales: Tensor, second: int = 256) -> Scales:
    """Positive scales (b) -> eight bits each after their mean; the farthest from it in each `second` is float8's largest number."""
    mean = scales.mean()
    apart = F.pad(scales - mean, (0, -len(scales) % second)).unflatten(0, (-1, second))
    factors = apart.abs().amax(1) / LARGEST
    codes = torch.where(factors[:, None] > 0, apart / factors[:, None], 0.0).flatten()[: len(scales)]
    return Scales(codes.clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn), factors, mean, second)


def nf4_bits(block: int = 64, second: int | None = 256) -> float:
    """Bits a weight, without the one mean of a tensor."""
    return 4 + (32 / block if second is None else 8 / block + 32 / (block * second))
