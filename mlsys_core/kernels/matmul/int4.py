"""Weights of four bits: how they are made, how they lie in memory, and what they stand for.

Idea      Weights of one output are cut into groups of neighbours along the sum, each group with a scale and a zero point. Two codes share a
          byte. Which two, and in which order the bytes lie, is chosen for the kernel that reads them.
Equation  w[n, k] = (q[n, k] − zero[g, n]) · scale[g, n], g = k // group, q and zero in 0 … 15
Paper     E. Frantar et al., "GPTQ", ICLR 2023, section 4 (grouping); J. Lin et al., "AWQ", MLSys 2024, section 3 (round to nearest, groups
          of 128); E. Frantar et al., "MARLIN", arXiv 2408.11743, section 3 (codes in the order of their use).
Cost      4 + 32 / group bits a weight: 4.25 with groups of 128 and scales and zeros of 16 bits.

The packing, (⌈n / 8⌉, k / G, 8, G / 2) bytes for groups of G: eight rows of a group lie together, then the next group of the same rows,
so that a kernel which walks along k reads memory in one piece. A row of a group is W = G / 8 words of 32 bits, the lowest byte first. Word
w has the codes w, w + W, w + 2 W, …, w + 7 W, from its lowest four bits up: byte 4 w + c has code 2 c W + w in its low half and code
(2 c + 1) W + w in its high one. The same four bits of neighbouring words are then neighbours along the sum, as the numbers of x are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

BAND = 8  # rows that lie together


def pack_int4(q: Tensor, group: int = 128) -> Tensor:
    """Codes q (n, k), integers 0 … 15, -> (⌈n / 8⌉, k / group, 8, group / 2) uint8; rows that fill the last eight are zeros.

    Raises ValueError for other codes, or a group that does not divide k.
    """
    if q.ndim != 2 or group % 8 or q.shape[1] % group:
        raise ValueError(
            f"Codes {tuple(q.shape)} cannot be cut into groups of {group}: give (n, k), k a multiple of it, and it of 8."
        )
    if q.numel() and not 0 <= int(q.min()) <= int(q.max()) <= 15:
        raise ValueError(f"Codes reach from {int(q.min())} to {int(q.max())}: four bits hold 0 to 15.")
    whole = F.pad(q.to(torch.uint8), (0, 0, 0, -len(q) % BAND))
    codes = whole.view(len(whole) // BAND, BAND, q.shape[1] // group, 4, 2, group // 8)
    octets = codes[..., 0, :] | codes[..., 1, :] << 4  # (bands, 8, groups, 4, words)
    return octets.permute(0, 2, 1, 4, 3).flatten(3).contiguous()


def unpack_int4(packed: Tensor, rows: int | None = None) -> Tensor:
    """The inverse: codes (rows, k) uint8; all rows that `packed` has, or the first `rows`. Raises ValueError for another form."""
    if packed.ndim != 4 or packed.dtype != torch.uint8 or packed.shape[2] != BAND or packed.shape[3] % 4:
        raise ValueError(
            f"{tuple(packed.shape)} of {packed.dtype} is not packed: give what pack_int4 gives, (n / 8, k / group, 8, group / 2) of uint8."
        )
    bands, groups, _, half = packed.shape
    octets = packed.unflatten(3, (half // 4, 4)).permute(0, 2, 1, 4, 3)
    codes = torch.stack((octets & 15, octets >> 4), 4)
    return codes.reshape(bands * BAND, groups * 2 * half)[:rows]


def quantize_int4(w: Tensor, group: int = 128, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor]:
    """w (n, k) -> packed as `pack_int4` has it and affine (k / group, n, 2) of `dtype`: scale and zero of each group, by its extremes.

    Codes are rounded to the nearest; within what the type of the scale rounds, an error is at most half of the scale.
    """
    if w.ndim != 2 or w.shape[1] % group:
        raise ValueError(
            f"Weights {tuple(w.shape)} cannot be cut into groups of {group}: give (n, k), k a multiple of it."
        )
    cut = w.float().unflatten(1, (-1, group))
    low, high = cut.amin(2).clamp(max=0), cut.amax(2).clamp(min=0)
    scale = ((high - low) / 15).to(dtype).float()
    scale = torch.where(scale > 0, scale, 1.0)
    zero = (-low / scale).round().clamp(0, 15)
    codes = ((cut / scale[:, :, None]).round() + zero[:, :, None]).clamp(0, 15)
    return pack_int4(codes.flatten(1), group), torch.stack((scale.T, zero.T), 2).to(dtype).contiguous()


def dequantize_int4(packed: Tensor, affine: Tensor) -> Tensor:
    """packed, and affine (k / group, n, 2) -> weights (n, k) in float32."""
    codes = unpack_int4(packed, affine.shape[1]).float().unflatten(1, (affine.shape[0], -1))
    scale, zero = affine.float().permute(2, 1, 0)[..., None]
    return ((codes - zero) * scale).flatten(1)
