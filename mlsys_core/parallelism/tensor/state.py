"""Whole tensors from slices and slices from whole tensors: weights to load and save, gradients to look at.

Idea      A parameter's layer knows how it is cut; what has no cut is whole on every rank.
Equation  W = [W_0 … W_{p-1}] along the axis of the cut.
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3.
Cost      Gathering: each rank sends its slice to p - 1 others. Loading: nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.tensor.layers import Split
from mlsys_core.parallelism.tensor.regions import gather, part


def splits(model: nn.Module) -> dict[str, Split]:
    """How each cut parameter is cut, by its name in `named_parameters()`; those that are whole are left out."""
    found = {
        f"{prefix}.{name}".lstrip("."): split
        for prefix, module in model.named_modules()
        for name, split in getattr(module, "splits", {}).items()
    }
    return {name: found[name] for name, _ in model.named_parameters() if name in found}


def gather_full(slices: Mapping[str, Tensor], model: nn.Module, comm: Communicator) -> dict[str, Tensor]:
    """Whole tensors on every rank from slices by parameter name: weights, gradients or an optimizer's moments."""
    cuts = splits(model)
    return {
        name: gather(x, cuts[name].axis, cuts[name].sizes, comm) if name in cuts else x.detach().clone()
        for name, x in slices.items()
    }


def load_full(model: nn.Module, whole: Mapping[str, Tensor], comm: Communicator) -> None:
    """Copies this rank's slices of whole weights, by parameter name, into the model. Raises ValueError for a name too few."""
    cuts = splits(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in whole:
                raise ValueError(f"There is no weight called {name}: give the state of the model before it was cut.")
            x = whole[name]
            parameter.copy_(part(x, cuts[name].axis, cuts[name].sizes, comm) if name in cuts else x)
