"""A small model made as hard to round as a large one, without changing what it says.

Idea      In models of billions of weights a few channels of the activations, always the same, are tens of times larger than the others. A
          range that holds them leaves the others a few steps. Small models have no such channels, but can be given some: a gain of
          the normalisation is multiplied, and the weights that read this channel are divided.
Equation  g[c] ← f g[c],  W[:, c] ← W[:, c] / f,  f between 30 and 100 on chosen channels c;  W (n ⊙ g) is as before
Paper     T. Dettmers et al., "LLM.int8()", NeurIPS 2022, section 4 (what emerges); X. Wei et al., "Outlier suppression", NeurIPS 2022,
          section 3 (it is the normalisation's gain that does it).
Cost      One pass over the weights.
"""

from __future__ import annotations

from copy import deepcopy
from math import log

import torch
from torch import nn

from mlsys_core.compression.folding import AFTER_NORMS, fold
from mlsys_core.workloads.gpt import GPT


def inject_outliers(model: GPT, *, channels: int = 16, low: float = 30.0, high: float = 100.0, seed: int = 0) -> GPT:
    """A copy with the same function and `channels` outlier channels after each normalisation of a block, drawn by `seed`.

    Each channel has a factor of its own, log-uniform from `low` to `high`. Raises ValueError when there are not so many channels.
    """
    if not 0 <= channels <= model.config.dim:
        raise ValueError(f"{channels} of {model.config.dim} channels cannot be chosen: give a number between.")
    if not 0 < low <= high:
        raise ValueError(f"Factors from {low} to {high} are none: give two positive numbers in order.")
    model, draws = deepcopy(model), torch.Generator().manual_seed(seed)
    for block in model.blocks:
        for norm, readers in AFTER_NORMS:
            gain = block.get_submodule(norm).weight
            chosen = torch.randperm(model.config.dim, generator=draws)[:channels]
            drawn = torch.rand(channels, generator=draws, dtype=torch.float64)
            factor = torch.ones(model.config.dim, dtype=torch.float64)
            factor[chosen] = (log(low) + (log(high) - log(low)) * drawn).exp()
            linears: list[nn.Linear] = [block.get_submodule(name) for name in readers]
            fold(block.get_submodule(norm), linears, (1 / factor).to(gain))
    return model
