"""The run that every parallel one must equal: the tiny GPT in one process, its losses, first gradients and last weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.workloads.gpt import GPT, GPTConfig

TINY = GPTConfig(vocab_size=29, context=16, dim=32, layers=4, heads=4, kv_heads=2, ffn=48)
STEPS, BATCH, LEARNING_RATE = 10, 8, 1e-3
Optimizer = Callable[[list[Tensor]], torch.optim.Optimizer]


@dataclass
class Trace:
    """Loss of each step, gradients of the first by parameter name, weights after the last by name, all as tensors."""

    losses: list[float]
    gradients: dict[str, Tensor]
    weights: dict[str, Tensor]

    def as_dict(self) -> dict[str, object]:
        """For `held`, which compares dictionaries."""
        return {"losses": self.losses, "gradients": self.gradients, "weights": self.weights}


def batches(config: GPTConfig, steps: int = STEPS, seed: int = 1, batch: int = BATCH) -> list[tuple[Tensor, Tensor]]:
    """Tokens and targets (B, T) of each step."""
    draws = torch.Generator().manual_seed(seed)
    shape = (batch, config.context + 1)
    drawn = [torch.randint(config.vocab_size, shape, generator=draws) for _ in range(steps)]
    return [(one[:, :-1], one[:, 1:]) for one in drawn]


def adam(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """The optimizer of the runs."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE)


def single_process(config: GPTConfig = TINY, seed: int = 0, optimizer: Optimizer = adam) -> Trace:
    """Ten steps on the whole batch in one process."""
    model = GPT(config, seed)
    made = optimizer(list(model.parameters()))
    losses: list[float] = []
    gradients: dict[str, Tensor] = {}
    for tokens, targets in batches(config):
        made.zero_grad()
        loss = model.loss(tokens, targets)
        loss.backward()
        gradients = gradients or {name: p.grad.clone() for name, p in model.named_parameters()}
        made.step()
        losses.append(loss.item())
    return Trace(losses, gradients, {name: p.detach().clone() for name, p in model.named_parameters()})
