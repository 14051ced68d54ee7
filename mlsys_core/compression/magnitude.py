"""Pruning by magnitude, and at random: what every other method has to beat.

Idea      Small weights go. Nothing but the weights is looked at, so it needs no data. It is the best that can be done for the weights
          themselves, and a poor choice where inputs differ much in size: a small weight of a large input does more than a large one of a
          small input.
Equation  score |w|;  the mask minimises ‖W - M ⊙ W‖_F among all of its pattern
Paper     S. Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS 2015, section 3; M. Zhu, S. Gupta,
          "To prune, or not to prune", arXiv 1710.01878.
Cost      A sort of n k numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mlsys_core.compression.masks import Pattern, Unstructured


def magnitude_mask(weight: Tensor, pattern: Pattern) -> Tensor:
    """weight (n, k) -> bool (n, k): the largest stay."""
    return pattern.mask(weight.detach().abs())


def random_mask(weight: Tensor, pattern: Pattern, generator: torch.Generator) -> Tensor:
    """weight (n, k) -> bool (n, k): anyone stays, drawn on the CPU. The floor of every comparison."""
    return pattern.mask(torch.rand(weight.shape, generator=generator)).to(weight.device)


def global_magnitude_masks(weights: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Masks where the matrices of a model compete as one: layers with small weights lose more of them.

    The least error of all weights together; a layer may lose nearly everything, which a share a layer prevents.
    """
    joined = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    masks = Unstructured(sparsity).mask(joined[None])[0].split([weight.numel() for weight in weights.values()])
    return {name: mask.view_as(weight) for (name, weight), mask in zip(weights.items(), masks, strict=True)}
