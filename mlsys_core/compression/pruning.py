"""A whole model is pruned: block by block, each layer by what it sees once those before it are pruned.

Idea      Layers are pruned one after the other on a few texts. What a layer is calibrated on is what it will get: the outputs of the blocks
          before it as they are now, and not as they were.
Equation  None beyond the methods': `magnitude`, `wanda`, `sparsegpt`
Paper     E. Frantar, D. Alistarh, "SparseGPT", ICML 2023, section 4 (setup); M. Sun et al., "A simple and effective pruning approach for
          large language models", ICLR 2024, section 4 (half of each layer; embeddings and the head stay).
Cost      About three forward passes of the texts, and the methods' own.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mlsys_core.compression.calibration import STAGES, inputs_of
from mlsys_core.compression.magnitude import magnitude_mask, random_mask
from mlsys_core.compression.masks import NM, Pattern, PerRow, Unstructured
from mlsys_core.compression.sparsegpt import sparsegpt
from mlsys_core.compression.wanda import wanda_mask
from mlsys_core.workloads.gpt import GPT

METHODS = ("random", "magnitude", "wanda", "sparsegpt")
CALIBRATED = ("wanda", "sparsegpt")  # those that look at inputs


def half(method: str) -> Pattern:
    """Half of the weights as each method's paper takes them: among a row for Wanda, among a matrix or a block of it for the others."""
    return PerRow(0.5) if method == "wanda" else Unstructured(0.5)


def two_of_four(_method: str) -> Pattern:
    """2:4, for every method."""
    return NM(2, 4)


def prune_layer(
    weight: Tensor, hessian: Tensor | None, method: str, pattern: Pattern, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """weight (n, k), second moments of its inputs (k, k) -> what replaces it, and the mask.

    Raises ValueError for another method, and where one of `CALIBRATED` has no moments.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}: choose one of {', '.join(METHODS)}.")
    if method in CALIBRATED:
        if hessian is None:
            raise ValueError(f"{method} looks at a layer's inputs: give their second moments.")
        if method == "sparsegpt":
            return sparsegpt(weight, hessian, pattern)
        mask = wanda_mask(weight, hessian, pattern)
    elif method == "magnitude":
        mask = magnitude_mask(weight, pattern)
    else:
        mask = random_mask(weight, pattern, generator)
    return weight.detach() * mask, mask


@torch.no_grad()
def prune(model: GPT, tokens: Tensor, method: str, pattern: Pattern, *, seed: int = 0) -> dict[str, Tensor]:
    """Prunes every Linear of the blocks in place, calibrated on tokens (B, T); gives the masks by the layers' names.

    `seed` draws the masks of `random`.
    """
    generator = torch.Generator().manual_seed(seed)
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    x, masks, looks = model.embed(tokens), dict[str, Tensor](), method in CALIBRATED
    for i, block in enumerate(model.blocks):
        for names in STAGES:
            # the layers of a stage have one input
            hessian = inputs_of(block, names[:1], x, positions)[names[0]].hessian if looks else None
            for name in names:
                weight = block.get_parameter(f"{name}.weight")
                new, mask = prune_layer(weight, hessian, method, pattern, generator=generator)
                weight.copy_(new)
                masks[f"blocks.{i}.{name}"] = mask
        if looks:
            x = block(x, positions)
    return masks


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Sets to zero again what a step of training moved: called after each, it keeps a pruned model pruned while it recovers."""
    for name, mask in masks.items():
        model.get_parameter(f"{name}.weight").mul_(mask)
