"""Codes of four bits as the kernels read them.

Idea      What rounding gives is a code a byte; the kernels of `kernels.matmul` want two a byte, in the order in which they use them, and a
          scale and a zero for each group. Symmetric codes are moved up by 8, which is then where zero lies.
Equation  (q - z) s = ((q + 8) - (z + 8)) s
Paper     E. Frantar et al., "MARLIN", arXiv 2408.11743, section 3.
Cost      4 + 32 / group bits a weight, with scales and zeros of 16 bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.compression.rtn import Quantized
from mlsys_core.kernels.matmul.int4 import pack_int4


def pack_quantized(quantized: Quantized, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor]:
    """Codes (n, k) of four bits -> what `int4_matmul` takes: packed, and affine (groups, n, 2) of `dtype`.

    A row without groups is one group. Raises ValueError for other bits, and for groups that do not divide k or are no multiple of 8.
    """
    scheme, (n, k) = quantized.scheme, quantized.codes.shape
    if scheme.bits != 4:
        raise ValueError(f"Codes of {scheme.bits} bits are not packed two a byte: quantize to 4 bits.")
    shift = 8 if scheme.symmetric else 0
    packed = pack_int4(quantized.codes.to(torch.int16) + shift, scheme.width(k))
    groups = k // scheme.width(k)
    scale, zero = (x.expand(n, groups).T for x in (quantized.scale, quantized.zero + shift))
    return packed, torch.stack((scale, zero), 2).to(dtype).contiguous()
