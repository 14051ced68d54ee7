"""Task 5: SparseGPT by its definition. After each column the weights behind it are the best ones, given all that are fixed by then."""

from __future__ import annotations

import numpy as np
from sparsity_oracle import Array, n_of_m, without_smallest


def damped(hessian: Array, damp: float = 0.01) -> Array:
    """H with a share of its mean diagonal added."""
    return hessian + damp * np.diag(hessian).mean() * np.eye(len(hessian))


def saliency(weights: Array, hessian: Array, column: int) -> Array:
    """What it costs to remove each weight of a column while all behind it may still change: w² / [H⁻¹ of what is left]₁₁."""
    return np.asarray(weights**2 / np.linalg.inv(hessian[column:, column:])[0, 0])


def pruned(
    weight: Array, hessian: Array, *, sparsity: float, block: int, pattern: tuple[int, int] | None, damp: float = 0.01
) -> tuple[Array, Array]:
    """Weights and mask. No factor is updated: for each column a system of its own is solved."""
    h, width = damped(hessian, damp), weight.shape[1]
    w, mask = weight.copy(), np.ones(weight.shape, bool)
    size = pattern[1] if pattern else block
    for j in range(width):
        if j % size == 0:
            columns = range(j, min(j + size, width))
            scores = np.stack([saliency(w[:, c], h, c) for c in columns], 1)
            count = round(sparsity * scores.size)
            mask[:, columns] = n_of_m(scores, *pattern) if pattern else without_smallest(scores, count)
        w[:, j] = np.where(mask[:, j], w[:, j], 0)
        fixed, free = slice(j + 1), slice(j + 1, None)
        change = (w - weight)[:, fixed] @ h[fixed, free]
        w[:, free] = weight[:, free] - np.linalg.solve(h[free, free], change.T).T
    return w, mask
