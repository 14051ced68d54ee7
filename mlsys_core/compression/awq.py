"""AWQ: weights that meet large activations are made larger before they are rounded, and so lose less.

Idea      An error of a weight counts as much as the activation that it is multiplied with. A column that is multiplied by s > 1, with its
          channel divided by s, keeps its step as long as it does not set the range of its group, so its error shrinks by s. How far to
          go is tried: the scales follow the activations to a power, and of a grid of powers the one with the least error is kept.
Equation  s = mean|X|^α, α* = argmin over α in {0, 1/20, …, 19/20} of ‖(Q(W diag(s)) diag(s)⁻¹ - W) X‖²
Paper     J. Lin et al., "AWQ: activation-aware weight quantization for on-device LLM compression and acceleration", MLSys 2024,
          section 3.2, equations 4 and 5.
Cost      `grid` roundings of the weights, and 2 n k² FLOPs each for the error by the inputs' second moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.calibration import Statistics, layer_error
from mlsys_core.compression.rtn import Scheme, quantize

GRID = 20
LEAST = 1e-4  # of a mean activation: a channel that is always zero gets a finite scale


@dataclass(frozen=True)
class Search:
    """The scale (k,) that was chosen with its power, and the error for each power of the grid; the first is that of plain rounding."""

    scale: Tensor
    alpha: float
    errors: tuple[float, ...]


@torch.no_grad()
def search_scale(weights: Sequence[Tensor], statistics: Statistics, scheme: Scheme, grid: int = GRID) -> Search:
    """For matrices (n_i, k) that read the same inputs: the scale with the least sum of their errors.

    α = 0 is in the grid, so it is never worse than plain rounding on these inputs. Raises ValueError for an empty grid.
    """
    if grid < 1:
        raise ValueError(f"A grid of {grid} powers has nothing to choose from: give 1 or more.")
    hessian = statistics.hessian
    scales = [_scale(statistics, step / grid).to(weights[0]) for step in range(grid)]
    errors = [sum(layer_error(w, quantize(w * s, scheme).dequantize() / s, hessian) for w in weights) for s in scales]
    best = min(range(grid), key=errors.__getitem__)
    return Search(scales[best], best / grid, tuple(errors))


def _scale(statistics: Statistics, alpha: float) -> Tensor:
    """mean|X|^α with the geometric middle of its extremes at 1, so that weights stay about as large as they were."""
    scale = statistics.mean_abs.clamp(min=LEAST) ** alpha
    return scale / (scale.max() * scale.min()).sqrt()
