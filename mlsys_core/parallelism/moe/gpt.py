"""A GPT whose feed-forward parts are layers of experts, on one device or with the experts shared by ranks.

Idea      Ranks have a part of the batch each, as in data parallelism, and in the layers of experts they meet. An expert's gradient
          is complete where the expert is; all other gradients are averaged over ranks.
Equation  loss = cross-entropy + Σ_layers (balance + z);   with p ranks the mean of theirs
Paper     D. Lepikhin et al., "GShard", arXiv 2006.16668; S. Rajbhandari et al., "DeepSpeed-MoE", arXiv 2201.05596.
Cost      `expert_parallel_cost` a layer, and an all-reduce of all weights that are not experts'.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.gradients import sum_gradients
from mlsys_core.parallelism.moe.layer import MoE
from mlsys_core.parallelism.moe.router import MoEConfig
from mlsys_core.workloads.gpt import GPT, GPTConfig


class MoEGPT(GPT):
    """The GPT of `workloads` with a layer of experts in every block."""

    def __init__(self, config: GPTConfig, moe: MoEConfig, seed: int = 0) -> None:
        """Weights as in `GPT`; those of routers and experts are drawn after them."""
        super().__init__(config, seed)
        draws = torch.Generator().manual_seed(seed + 1)
        for block in self.blocks:
            block.ffn = MoE(config, moe)
            for name, weight in block.ffn.named_parameters():
                shrink = (2 * config.layers) ** 0.5 if name.endswith("down_proj.weight") else 1.0
                weight.data.normal_(0.0, 0.02 / shrink, generator=draws)

    @property
    def moes(self) -> list[MoE]:
        """Its layers of experts."""
        return [block.ffn for block in self.blocks]

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of this rank's part of the batch, and the routers' losses."""
        entropy = super().loss(tokens, targets)
        return entropy + sum(moe.routing.loss for moe in self.moes if moe.routing is not None)


def expert_parallel(model: MoEGPT, comm: Communicator) -> MoEGPT:
    """A copy of a model that every rank has, with this rank's experts only. Raises ValueError for fewer experts than ranks."""
    own = deepcopy(model)
    for moe in own.moes:
        moe.keep_own(comm)
    return own


def average_gradients(model: MoEGPT, comm: Communicator) -> None:
    """Makes gradients those of the mean of the ranks' losses, after the backward pass and before the optimizer's step."""
    experts = {id(p) for moe in model.moes for p in moe.experts.parameters()}
    sum_gradients([p for p in model.parameters() if id(p) not in experts], comm)
    for parameter in model.parameters():
        parameter.grad.div_(comm.size)
