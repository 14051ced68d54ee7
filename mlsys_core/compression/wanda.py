"""Wanda: a weight matters as much as it and what it multiplies are large.

Idea      What a weight adds to an output is itself times its input, so its score is its size times the norm of that input over a few texts.
          Weights compete in their own row, since rows are different outputs. No weight changes its value, and no matrix is inverted.
Equation  score |W_ij| · ‖X_j‖₂, X_j the j-th input over all tokens; removing W_ij alone changes the output by W_ij² ‖X_j‖² in squares.
          Where inputs are uncorrelated (X Xᵀ diagonal) these add up, and the mask is the best of all.
Paper     M. Sun et al., "A simple and effective pruning approach for large language models", ICLR 2024, section 3, equation 1, algorithm 1.
Cost      O(n k log k) a layer; SparseGPT's is O(k³ + n k²) (`sparsegpt.sparsegpt_cost`).
"""

from __future__ import annotations

from torch import Tensor

from mlsys_core.compression.masks import Pattern


def wanda_scores(weight: Tensor, hessian: Tensor) -> Tensor:
    """weight (n, k) and X Xᵀ (k, k), or a multiple of it -> scores (n, k), up to one factor.

    The norms are the root of the diagonal. Raises ValueError for another shape.
    """
    if hessian.shape != (weight.shape[1], weight.shape[1]):
        raise ValueError(
            f"Weights {tuple(weight.shape)} have {weight.shape[1]} inputs and the moments are {tuple(hessian.shape)}: "
            "give X Xᵀ of the inputs of this layer."
        )
    return weight.detach().abs() * hessian.diagonal().clamp(min=0).sqrt().to(weight.dtype)


def wanda_mask(weight: Tensor, hessian: Tensor, pattern: Pattern) -> Tensor:
    """weight (n, k), X Xᵀ (k, k) -> bool (n, k). The paper's patterns are `PerRow` and `NM`."""
    return pattern.mask(wanda_scores(weight, hessian))
