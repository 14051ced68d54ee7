"""SparseGPT: weights go column by column, and those to the right make up for what is lost.

Idea      When a weight is set to zero, the others of its row can be moved so that the output changes least: a least squares problem whose
          answer is known (the optimal brain surgeon). Solved for each row and each mask it costs k³ a row. If all rows go through their
          columns in one order and only weights further right are moved, every row needs the same inverses, and those are the rows of one
          Cholesky factor.
Equation  H = X Xᵀ + λ I;  H⁻¹ = Uᵀ U, U upper triangular;  score (w_j / U_jj)²;  where w_j goes: w_{j:} -= (w_j / U_jj) U_{j, j:}
Paper     E. Frantar, D. Alistarh, "SparseGPT: massive language models can be accurately pruned in one-shot", ICML 2023, section 3,
          algorithm 1; B. Hassibi, D. Stork, "Second order derivatives for network pruning: optimal brain surgeon", NeurIPS 1992.
Cost      `sparsegpt_cost`: 4/3 k³ operations for the factor, n k² for the updates; blocks make products of most of these.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mlsys_core.compression.gptq import inverse_factor
from mlsys_core.compression.masks import Pattern

Choose = Callable[[int, int, Tensor], Tensor]  # columns from, to, their scores -> bool, True where a weight stays


def sparsegpt(
    weight: Tensor, hessian: Tensor, pattern: Pattern, *, block: int = 128, damping: float = 0.01
) -> tuple[Tensor, Tensor]:
    """weight (n, k), X Xᵀ (k, k) or a multiple -> the weights that replace it, and the mask of those that stay, both (n, k).

    `Unstructured` and `PerRow` choose among the columns of a block, so that what was moved before is seen; n:m chooses group by group.
    Weights of inputs that are always zero become zeros, and go first. `damping` is added to the diagonal, as a part of its mean.
    Raises ValueError for other shapes, where a block cuts a group, and where X Xᵀ has no inverse.
    """
    width = pattern.group or block
    if block < 1 or block % width or (pattern.group and weight.shape[1] % pattern.group):
        raise ValueError(
            f"Groups of {width} do not divide blocks of {block} and rows of {weight.shape[1]}: give multiples of the group."
        )
    w, factor = _prepared(weight, hessian, damping)
    return _sweep(w, factor, lambda _from, _to, scores: pattern.mask(scores), width, block)


def update_on_mask(weight: Tensor, hessian: Tensor, mask: Tensor, *, block: int = 128, damping: float = 0.01) -> Tensor:
    """weight (n, k) with the weights outside of `mask` at zero, and those right of each moved as SparseGPT moves them.

    Each weight is then what least squares over itself and all to its right gives it, those to its left as they are. Raises ValueError as
    `sparsegpt`.
    """
    w, factor = _prepared(weight, hessian, damping)
    return _sweep(w, factor, lambda start, end, _scores: mask[:, start:end], block, block)[0]


def solve_on_mask(weight: Tensor, hessian: Tensor, mask: Tensor) -> Tensor:
    """The weights on a mask with the least ‖W X - W' X‖: least squares row by row, (n, k). What SparseGPT is an approximation of.

    Every weight that stays is moved, left ones too, at a cost of k³ for each of n rows.
    """
    w = weight.detach().to(hessian.dtype)
    solved = torch.zeros_like(w)
    for row, stays in enumerate(mask):
        inner, target = hessian[stays][:, stays], hessian[stays] @ w[row]
        solved[row, stays] = torch.linalg.lstsq(inner, target[:, None], driver="gelsd").solution[:, 0]
    return solved.to(weight.dtype)


def _prepared(weight: Tensor, hessian: Tensor, damping: float) -> tuple[Tensor, Tensor]:
    """A copy of the weights, and `inverse_factor`.

    What an input that was never seen is multiplied with is zero, so that it goes first. Such an input gets the mean of the others on the
    diagonal: there is an inverse then, and the damping is in proportion.
    """
    if hessian.shape != (weight.shape[1], weight.shape[1]):
        raise ValueError(
            f"Weights {tuple(weight.shape)} have {weight.shape[1]} inputs and the moments are {tuple(hessian.shape)}: "
            "give X Xᵀ of the inputs of this layer."
        )
    h = hessian.clone()
    unseen = h.diagonal() == 0
    h.diagonal()[unseen] = 1.0 if bool(unseen.all()) else h.diagonal()[~unseen].mean()
    return weight.detach() * ~unseen, inverse_factor(h, damping)


def _sweep(weight: Tensor, factor: Tensor, choose: Choose, width: int, block: int) -> tuple[Tensor, Tensor]:
    """All blocks from left to right; may change `weight`. What a block moves to the right of it is added once, by one product."""
    w = weight.to(factor.dtype)
    mask = torch.ones_like(w, dtype=torch.bool)
    for start in range(0, w.shape[1], block):
        end = min(start + block, w.shape[1])
        errors = _block(w[:, start:end], mask[:, start:end], factor[start:end, start:end], choose, width, start=start)
        w[:, end:] -= errors @ factor[start:end, end:]
    return w.mul_(mask).to(weight.dtype), mask


def _block(w: Tensor, mask: Tensor, factor: Tensor, choose: Choose, width: int, *, start: int) -> Tensor:
    """Columns of one block, changed in place; gives w_j / U_jj (n, columns) of those that went, and 0 for the others."""
    errors = torch.zeros_like(w)
    for j in range(w.shape[1]):
        if j % width == 0:
            scores = (w[:, j : j + width] / factor.diagonal()[j : j + width]) ** 2
            mask[:, j : j + width] = choose(start + j, start + j + scores.shape[1], scores)
        errors[:, j] = w[:, j] * ~mask[:, j] / factor[j, j]
        w[:, j:] -= errors[:, j, None] * factor[j, j:]
    return errors


def sparsegpt_cost(n: int, k: int) -> int:
    """Operations of a layer (n, k) at most: 4/3 k³ for two Cholesky factors and an inverse, n k (k + 1) for what is moved."""
    return 4 * k**3 // 3 + n * k * (k + 1)
