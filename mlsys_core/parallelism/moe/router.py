"""Which experts see a token: the best k by a learned score, as long as they have room.

Idea      A linear layer scores the experts, a softmax makes weights of the scores, and each token goes to its k best. Training
          would send everything to a few: a loss pulls the shares towards equal ones, and an expert takes no more than its
          capacity; what comes later is dropped, and goes around the layer by the residual stream.
Equation  w = softmax(W_r x), top k, divided by their sum;   capacity = ⌈k N / E · factor⌉
          balance loss a E Σ_i f_i P_i, f_i the share of assignments to expert i, P_i its mean weight (a when all are 1/E)
          z-loss b mean (log Σ e^logit)²
Paper     N. Shazeer et al., "Outrageously large neural networks", arXiv 1701.06538; D. Lepikhin et al., "GShard", arXiv 2006.16668,
          algorithm 1 (groups, order); W. Fedus et al., "Switch transformers", arXiv 2101.03961, section 2.2 (capacity, loss);
          B. Zoph et al., "ST-MoE", arXiv 2202.08906, section 3.3 (z-loss).
Cost      2 d E FLOPs a token, and E numbers a token and choice for the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name


@dataclass(frozen=True)
class MoEConfig:
    """A layer of experts.

    ffn              inner width of one expert
    capacity_factor  room of an expert over its fair share; None: no token is dropped
    aux_weight       a of the balance loss; z_weight: b of the z-loss, none where 0
    shared_ffn       inner width of a part that sees every token; none where 0
    renormalise      the weights of the k chosen add up to one
    groups           parts of the tokens, in order, that have a capacity and a balance each; p groups on one device do what p
                     devices do that each have a part of the batch
    """

    experts: int = 8
    top_k: int = 2
    ffn: int = 64
    capacity_factor: float | None = 1.25
    aux_weight: float = 0.01
    z_weight: float = 0.0
    shared_ffn: int = 0
    renormalise: bool = True
    groups: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.top_k <= self.experts:
            raise ValueError(f"A token cannot go to {self.top_k} of {self.experts} experts: choose between 1 and all.")


@dataclass(frozen=True)
class Routing:
    """What the router decided for N tokens: experts (N, k) int64, best first; weights (N, k); kept (N, k) bool; the losses."""

    experts: Tensor
    weights: Tensor
    kept: Tensor
    loss: Tensor

    @property
    def dropped(self) -> float:
        """Share of assignments that found no room."""
        return float(1 - self.kept.double().mean())


def capacity(tokens: int, config: MoEConfig) -> int:
    """Tokens that one expert takes of a group of `tokens`; all of them without a capacity factor."""
    if config.capacity_factor is None:
        return tokens
    # a decimal factor is meant as it is written: 1.1 × 10 is 11 and not a little more
    return ceil(Fraction(config.top_k * tokens, config.experts) * Fraction(str(config.capacity_factor)))


def places(experts: Tensor, count: int) -> Tensor:
    """How many came before to the same expert, (N, k): all first choices in the order of tokens, then all second ones, …"""
    by_choice = F.one_hot(experts.T.flatten(), count)
    before = (by_choice.cumsum(0) - by_choice).gather(1, experts.T.flatten()[:, None])
    return before.view(experts.shape[::-1]).T


def balance_loss(probabilities: Tensor, experts: Tensor, weight: float) -> Tensor:
    """a E Σ f_i P_i of one group: probabilities (N, E), chosen experts (N, k), counted before any is dropped."""
    count = probabilities.shape[1]
    share = torch.bincount(experts.flatten(), minlength=count).to(probabilities.dtype) / experts.numel()
    return weight * count * (share * probabilities.mean(0)).sum()


def z_loss(logits: Tensor, weight: float) -> Tensor:
    """b mean (log Σ e^logit)² of logits (N, E), which keeps them small."""
    return weight * logits.logsumexp(-1).square().mean()


class TopKRouter(nn.Module):
    """Scores experts and chooses."""

    def __init__(self, dim: int, config: MoEConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.experts, dim).normal_(0.0, 0.02))

    def forward(self, x: Tensor) -> Routing:
        """x (N, dim). Raises ValueError where N is not a multiple of the number of groups."""
        config = self.config
        if len(x) % config.groups:
            raise ValueError(f"{len(x)} tokens cannot form {config.groups} equal groups: give a multiple.")
        logits = F.linear(x, self.weight)
        probabilities = logits.softmax(-1)
        weights, experts = probabilities.topk(config.top_k, dim=-1)
        if config.renormalise:
            weights = weights / weights.sum(-1, keepdim=True)
        groups = len(x) // config.groups
        room = capacity(groups, config)
        kept = torch.cat([places(group, config.experts) < room for group in experts.split(groups)])
        losses = [
            balance_loss(*group, config.aux_weight)
            for group in zip(probabilities.split(groups), experts.split(groups), strict=True)
        ]
        return Routing(experts, weights, kept, torch.stack(losses).mean() + z_loss(logits, config.z_weight))
