"""GPTQ: a weight is rounded, and those of its row that are not rounded yet make good for it.

Idea      The error of a layer is a quadratic form of its weights' errors. When one column is rounded, the best change of the columns that
          follow is known in closed form. All rows share the form, so one factorisation serves them all, and columns are taken in the
          same order for every row. Updates of far columns wait until a block of columns is done, and are one matrix product then.
Equation  min ‖(W - Ŵ) X‖²,  H = 2 X Xᵀ;  H⁻¹ = Uᵀ U with U upper triangular;
          e = (w_j - ŵ_j) / U[j, j],   w_k ← w_k - e U[j, k] for k > j
Paper     E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", ICLR 2023, algorithm 1;
          E. Frantar, D. Alistarh, "Optimal brain compression", NeurIPS 2022 (OBQ, which it equals for a fixed order).
Cost      `gptq_flops`: 4/3 k³ for the factors, n k² for the updates of a layer (n, k); OBQ takes n k³.

With groups, a group's range is found when its turn comes, from weights that have made good for those before. With `act_order` columns are
taken by falling H[j, j], so that those which matter most are rounded while many are left; ranges of groups are then found beforehand, since
the columns of a group come at different times.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.compression.rtn import Quantized, Scheme, check, code_type, decode, ranges


def inverse_factor(hessian: Tensor, damping: float = 0.01) -> Tensor:
    """U (k, k), upper triangular in float64, Uᵀ U = (H + damping · mean(diag H) · I)⁻¹. Raises ValueError where there is none."""
    h = hessian.double()
    h = h + damping * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype, device=h.device)
    try:
        lower = torch.linalg.cholesky(h)
        return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"The Hessian of {len(h)} channels has no inverse, even with damping {damping:g}: use more text, or more damping."
        ) from None


@torch.no_grad()
def gptq(
    w: Tensor, hessian: Tensor, scheme: Scheme, *, block: int = 128, damping: float = 0.01, act_order: bool = False
) -> Quantized:
    """Weights w (n, k) and the Hessian (k, k) of their inputs -> codes.

    block    columns whose updates of later ones are made together; it is made a multiple of the group
    damping  part of the mean of H's diagonal that is added to it
    Weights of channels that are always zero become zeros. Raises ValueError for other shapes, for weights that are not finite, and for
    a Hessian without an inverse.
    """
    k = w.shape[-1]
    if w.ndim != 2 or hessian.shape != (k, k):
        raise ValueError(
            f"Weights {tuple(w.shape)} and a Hessian {tuple(hessian.shape)} do not fit: give (n, k) and (k, k)."
        )
    check(w)
    if block < 1 or damping < 0:
        raise ValueError(f"A block of {block} and damping {damping:g} are not possible: give 1 or more, 0 or more.")
    h, w = hessian.double().clone(), w.clone()
    never = h.diagonal() == 0
    h.diagonal()[never] = 1.0 if bool(never.all()) else h.diagonal()[~never].mean()
    w[:, never] = 0
    scale, zero = ranges(w, scheme)
    order = h.diagonal().argsort(descending=True, stable=True) if act_order else torch.arange(k, device=w.device)
    factor = inverse_factor(h[order][:, order], damping).to(w)
    size = scheme.width(k)
    late = scheme.per == "group" and not act_order
    if late:
        block = size * max(1, block // size)
    codes, w = torch.empty_like(w), w[:, order]
    for start in range(0, k, block):
        stop = min(start + block, k)
        errors = torch.empty_like(w[:, start:stop])
        for j in range(start, stop):
            column = int(order[j])
            group = column // size
            if late and column % size == 0:
                scale[:, group : group + 1], zero[:, group : group + 1] = ranges(w[:, j : j + size], scheme)
            s, z = scale[:, group], zero[:, group]
            codes[:, column] = scheme.encode(w[:, j], s, z)
            errors[:, j - start] = (w[:, j] - decode(codes[:, column], s, z)) / factor[j, j]
            w[:, j + 1 : stop] -= errors[:, j - start, None] * factor[j, j + 1 : stop]
        w[:, stop:] -= errors @ factor[start:stop, stop:]
    return Quantized(codes.to(code_type(scheme)), scale, zero, scheme)


def gptq_flops(n: int, k: int) -> float:
    """Operations for a layer (n, k): two Cholesky factors, k³/3 each, an inverse from one, 2/3 k³, and a product and a sum for each
    weight and each column before it."""
    return 4 / 3 * k**3 + n * k * (k - 1)
