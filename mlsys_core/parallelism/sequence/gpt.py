"""A GPT that reads a part of each sequence on every rank.

Idea      All layers but attention look at one position at a time, so a rank runs the whole model on its part of the positions, and
          only attention asks the others. Weights are the same everywhere; their gradients are summed, as in data parallelism.
Equation  loss = Σ_r loss_r,  loss_r = Σ_{t of r} -log p(target_t) / (B T);   W̄ = Σ_r W̄_r
Paper     H. Liu et al., arXiv 2310.01889 (ring); S. A. Jacobs et al., arXiv 2309.14509 (Ulysses).
Cost      That of the attention, and one all-reduce of all gradients a step: 2 (p-1)/p P numbers a rank.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.gradients import sum_gradients
from mlsys_core.parallelism.sequence.placement import Placement, zigzag
from mlsys_core.parallelism.sequence.ring import ring_attention
from mlsys_core.parallelism.tensor.regions import reduce_from_region
from mlsys_core.workloads.gpt import GPT

# q, k, v at a rank's positions, the group, the placement -> what was read
DistributedAttention = Callable[[Tensor, Tensor, Tensor, Communicator, Placement], Tensor]


class SequenceParallel(nn.Module):
    """Wraps a copy of a model, `module`, whose attention spans the ranks.

    attention   `ring_attention` or `ulysses_attention`
    place       (length, ranks) -> the placement: `contiguous` or `zigzag`
    """

    def __init__(
        self,
        model: GPT,
        comm: Communicator,
        *,
        attention: DistributedAttention = ring_attention,
        place: Callable[[int, int], Placement] = zigzag,
    ) -> None:
        super().__init__()
        self.module, self.comm, self.attention, self.place = deepcopy(model), comm, attention, place
        self.placement = place(model.config.context, comm.size)
        for block in self.module.blocks:
            block.attn.attend = self._attend

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.attention(q, k, v, self.comm, self.placement)

    def forward(self, tokens: Tensor) -> Tensor:
        """Whole sequences of tokens (B, T), the same on every rank -> logits (B, T_r, vocabulary) at this rank's positions."""
        self.placement, me = self.place(tokens.shape[1], self.comm.size), self.comm.rank
        logits: Tensor = self.module(self.placement.take(tokens, me), self.placement.positions(me))
        return logits

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over all positions, the same on every rank; targets (B, T) are whole."""
        logits = self(tokens).flatten(0, 1)
        own = self.placement.take(targets, self.comm.rank).flatten()
        return reduce_from_region(F.cross_entropy(logits, own, reduction="sum") / targets.numel(), self.comm)

    def reduce_gradients(self) -> None:
        """Sums gradients over ranks, after the backward pass and before the optimizer's step."""
        sum_gradients(self.module.parameters(), self.comm)
