"""Low rank: a matrix is replaced by the product of two thin ones, the best for its entries or the best for what it is applied to.

Idea      The largest singular values hold most of a matrix; the rest is cut off. That is the best for the entries, whatever inputs
          are. But a layer is judged by its outputs. If inputs are first made white (uncorrelated, of one size), the same cut is the best
          for the outputs, and then whitening is undone.
Equation  W ≈ Σ_{i ≤ r} σ_i u_i v_iᵀ, ‖W - W'‖_F = √(Σ_{i > r} σ_i²);
          with X Xᵀ = S Sᵀ: ‖(W - W') X‖_F = ‖(W - W') S‖_F, so W' = [W S]_r S⁺
Paper     C. Eckart, G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936; P. Chen et al., "DRONE:
          data-aware low-rank compression for large NLP models", NeurIPS 2021; X. Wang et al., "SVD-LLM", ICLR 2025, section 3.
Cost      r (n + k) weights and 2 r (n + k) operations a token in place of n k and 2 n k (`low_rank_cost`); less only for r < n k / (n + k).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LowRank:
    """left (n, r) times right (r, k)."""

    left: Tensor
    right: Tensor

    @property
    def rank(self) -> int:
        """r."""
        return int(self.left.shape[1])

    def dense(self) -> Tensor:
        """The product (n, k)."""
        return self.left @ self.right


def truncated_svd(weight: Tensor, rank: int) -> LowRank:
    """weight (n, k) -> its `rank` largest singular parts, the root of each value in either factor.

    Raises ValueError for a rank outside of 1 to min(n, k).
    """
    if not 1 <= rank <= min(weight.shape):
        raise ValueError(f"A matrix {tuple(weight.shape)} has no rank {rank}: give one from 1 to {min(weight.shape)}.")
    u, values, vt = torch.linalg.svd(weight.detach(), full_matrices=False)
    root = values[:rank].sqrt()
    return LowRank(u[:, :rank] * root, root[:, None] * vt[:rank])


def whitened_svd(weight: Tensor, hessian: Tensor, rank: int) -> LowRank:
    """weight (n, k) and X Xᵀ (k, k), or a multiple -> the product of this rank with the least ‖(W - W') X‖_F.

    Directions that no input has are left out of W': nothing can be said about them. Raises ValueError as `truncated_svd`.
    """
    values, vectors = torch.linalg.eigh(hessian.double())
    # what is this small against the largest is rounding of zero, and its inverse would be noise
    values = values.where(values > values[-1] * len(values) * torch.finfo(hessian.dtype).eps, 0.0)
    root = values.sqrt()
    inverse = torch.where(root > 0, 1 / root, 0.0)
    best = truncated_svd(weight.detach().double() @ (vectors * root), rank)
    return LowRank(best.left.to(weight.dtype), (best.right * inverse @ vectors.T).to(weight.dtype))


def tail(singular_values: Tensor, rank: int) -> Tensor:
    """√(Σ_{i > r} σ_i²) of values (min(n, k)) from the largest down: the error of the best matrix of rank r."""
    return singular_values[rank:].square().sum().sqrt()


def rank_for(n: int, k: int, share: float) -> int:
    """The largest rank whose factors hold at most `share` of the n k weights; raises ValueError where even one is too many."""
    rank = int(share * n * k / (n + k))
    if rank < 1:
        raise ValueError(f"Factors of a matrix ({n}, {k}) hold at least {n + k} weights, more than {share:g} of it.")
    return min(rank, n, k)


@dataclass(frozen=True)
class LowRankCost:
    """Weights, and operations a token."""

    weights: int
    flops: int


def low_rank_cost(n: int, k: int, rank: int) -> LowRankCost:
    """Of two factors of a matrix (n, k)."""
    return LowRankCost(rank * (n + k), 2 * rank * (n + k))


class LowRankLinear(nn.Module):
    """x (…, k) -> (…, n) by two products, never by the matrix that they stand for."""

    def __init__(self, factors: LowRank, bias: Tensor | None = None) -> None:
        """Takes the factors as they are."""
        super().__init__()
        self.left, self.right = nn.Parameter(factors.left), nn.Parameter(factors.right)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """The thin product first."""
        out = x @ self.right.T @ self.left.T
        return out if self.bias is None else out + self.bias
