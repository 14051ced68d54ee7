"""SmoothQuant: activations hand a part of their outliers to the weights, and both fit into eight bits.

Idea      Products of integers need activations in integers too, and a step that holds an outlier channel is too coarse for all others. A
          channel's size can be moved into the weights that read it, which are even and can bear it. Half of it is moved, so that both
          sides are equally hard.
Equation  s_j = max|X_j|^α / max|W_j|^(1-α);   Y = (X diag(s)⁻¹) (diag(s) W)ᵀ;
          Y[i, n] ≈ Δ_x[i] Δ_w[n] Σ_k q_x[i, k] q_w[n, k], the sum in integers
Paper     G. Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language models", ICML 2023, section 4,
          equation 4 and figure 5.
Cost      One byte a weight and an activation, 4 bytes a scale; an int32 sum is exact up to k = 2^31 / 127².
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlsys_core.compression.rtn import Per, Scheme, quantize

LEAST = 1e-5
EXACT = 2**24 // 128**2  # products of two int8 whose sum float32 holds exactly, in any order
LONGEST = 2**31 // 128**2 - 1  # and int32


def smooth_scale(peak: Tensor, weights: Sequence[Tensor], alpha: float = 0.5) -> Tensor:
    """Factors (k,) by which activations with peaks (k,) are divided and matrices (n_i, k) that read them multiplied.

    alpha  how much of the activations' size is moved: 0 for none of it, 1 for all. Raises ValueError outside of that.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"α = {alpha:g} moves less than nothing or more than all: give 0 to 1.")
    largest = torch.stack([w.abs().amax(0) for w in weights]).amax(0)
    peak = peak.to(largest)
    scale = peak.clamp(min=LEAST) ** alpha / largest.clamp(min=LEAST) ** (1 - alpha)
    return torch.where((peak > 0) & (largest > 0), scale, torch.ones_like(scale))


def integer_matmul(x: Tensor, w: Tensor) -> Tensor:
    """x (m, k) int8 by w (n, k) int8 -> (m, n) int32, exact. Raises ValueError for other types, and where int32 may not hold it.

    CPUs multiply floats fastest: k is cut into parts whose sums are integers that float32 holds, and these are added as int32.
    """
    if x.dtype != torch.int8 or w.dtype != torch.int8 or x.shape[-1] != w.shape[-1]:
        raise ValueError(
            f"{tuple(x.shape)} of {x.dtype} and {tuple(w.shape)} of {w.dtype} do not fit: give (m, k) and (n, k) of int8."
        )
    if x.shape[-1] > LONGEST:
        raise ValueError(f"A sum of {x.shape[-1]} products can leave int32: cut it into parts of {LONGEST} or fewer.")
    total = torch.zeros((len(x), len(w)), dtype=torch.int32, device=x.device)
    for a, b in zip(x.split(EXACT, 1), w.split(EXACT, 1), strict=True):
        total += (a.float() @ b.float().T).to(torch.int32)
    return total


class W8A8Linear(nn.Module):
    """A linear layer in integers: weights with a scale an output or one for all, activations rounded when they come.

    `activations` says what shares a scale: "channel" is a row, which is a token here, "tensor" is all of a call.
    """

    codes: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear, *, weights: Per = "channel", activations: Per = "channel") -> None:
        """Takes the weights (n, k) of a layer without a bias; raises ValueError for groups, whose scales would stand inside of the sum."""
        super().__init__()
        if "group" in (weights, activations):
            raise ValueError("Scales of groups differ within a sum of integers: give tensor or channel.")
        if linear.bias is not None:
            raise ValueError("This layer adds a bias, which is not rounded here: give a layer without one.")
        quantized = quantize(linear.weight.detach(), Scheme(8, symmetric=True, per=weights))
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("scale", quantized.scale)
        self.activations = Scheme(8, symmetric=True, per=activations)
        self.nbytes = quantized.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """x (..., k) -> (..., n) of x's type."""
        rounded = quantize(x.reshape(-1, x.shape[-1]), self.activations)
        # a sum of a few products is beyond the largest number of float16
        total = integer_matmul(rounded.codes, self.codes).to(torch.promote_types(x.dtype, torch.float32))
        return (total * rounded.scale * self.scale.T).to(x.dtype).reshape(*x.shape[:-1], len(self.codes))
