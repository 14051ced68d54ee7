"""Distillation: a small model learns from what a large one thinks of every token, and not from the right answer alone.

Idea      The answer in the data is one token; the teacher says how likely each one was, which is more to learn from, and less noisy. A
          temperature makes small probabilities count. The states inside can be matched too, through a linear map to the teacher's width.
Equation  L = (1 - a) CE + a T² KL(softmax(t / T) ‖ softmax(s / T)) + b mean ‖P h_s - h_t‖² / d
          T → ∞: T² KL → (1/2V) Σ_v (s̃_v - t̃_v)², s̃ and t̃ without their mean: the logits themselves are matched
Paper     G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", arXiv 1503.02531, sections 2 and 2.1;
          A. Romero et al., "FitNets: hints for thin deep nets", ICLR 2015 (hidden states through a map).
Cost      A forward pass of the teacher a batch; nothing when the student is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.workloads.gpt import GPT
from mlsys_core.workloads.text import Codes
from mlsys_core.workloads.train import TrainConfig, Trainer


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """T² KL(teacher ‖ student) in nats, logits (…, V) each, mean over all but the last axis.

    The square keeps the gradient's size when T changes. Raises ValueError for a temperature that is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"A temperature of {temperature} has no distribution: give one above 0.")
    wanted = F.log_softmax(teacher.detach() / temperature, -1).flatten(0, -2)
    found = F.log_softmax(student / temperature, -1).flatten(0, -2)
    return F.kl_div(found, wanted, log_target=True, reduction="batchmean") * temperature**2


def logit_matching_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The limit of `distillation_loss` for a high temperature: half the variance of the difference over the vocabulary, in the mean."""
    return (student - teacher.detach()).var(-1, correction=0).mean() / 2


def hidden_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square of the difference of states (…, d), both of one width."""
    return F.mse_loss(student, teacher.detach())


@contextmanager
def hidden_states(model: GPT, layers: Sequence[int]) -> Iterator[list[Tensor]]:
    """A list that a forward pass inside fills with what these blocks (from 0) give, (B, T, dim) each, as they run."""
    states: list[Tensor] = []
    hooks = [
        model.blocks[layer].register_forward_hook(lambda _module, _inputs, out: states.append(out)) for layer in layers
    ]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class Distillation:
    """What a student learns from: `weight` of the teacher's distribution at a `temperature`, the rest from the data.

    `pairs` are (block of the student, block of the teacher), rising in both, whose states are matched with `hidden_weight`.
    """

    temperature: float = 2.0
    weight: float = 0.5
    pairs: tuple[tuple[int, int], ...] = ()
    hidden_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"The teacher's part of the loss lies between 0 and 1, and this is {self.weight}.")
        if any(a >= c or b >= d for (a, b), (c, d) in pairwise(self.pairs)):
            raise ValueError(f"The pairs of blocks {self.pairs} do not rise in both models: give them in their order.")


class Distiller(Trainer):
    """Trains a student as `Trainer` does, with a teacher's help. Maps between widths are trained too, and thrown away."""

    def __init__(
        self, student: GPT, teacher: GPT, codes: Codes, config: TrainConfig, *, distillation: Distillation
    ) -> None:
        """The teacher is only read. The maps are drawn from the seed of `config`."""
        super().__init__(student, codes, config)
        self.teacher, self.distillation = teacher.eval(), distillation
        draws = torch.Generator().manual_seed(config.seed)
        narrow, wide = student.config.dim, teacher.config.dim
        self.maps = [torch.empty(wide, narrow).normal_(0, narrow**-0.5, generator=draws) for _ in distillation.pairs]
        for one in self.maps:
            one.requires_grad_()
        if self.maps:
            self.optimizer.add_param_group({"params": self.maps, "weight_decay": 0.0})

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """The sum of the parts that have a weight."""
        chosen = self.distillation
        of_student, of_teacher = ([pair[i] for pair in chosen.pairs] for i in (0, 1))
        with torch.no_grad(), hidden_states(self.teacher, of_teacher) as wanted:
            thought = self.teacher(tokens)
        with hidden_states(self.model, of_student) as found:
            logits = self.model(tokens)
        loss = (1 - chosen.weight) * F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if chosen.weight:
            loss = loss + chosen.weight * distillation_loss(logits, thought, chosen.temperature)
        for narrow, wide, one in zip(found, wanted, self.maps, strict=True):
            loss = loss + chosen.hidden_weight * hidden_loss(narrow @ one.T, wide)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """What `Trainer` needs to go on, and the maps."""
        return {**super().state_dict(), "maps": [one.detach() for one in self.maps]}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        super().load_state_dict(state)
        for mine, kept in zip(self.maps, state["maps"], strict=True):
            mine.copy_(kept)


def distill(
    student: GPT, teacher: GPT, codes: Codes, config: TrainConfig, distillation: Distillation | None = None
) -> list[float]:
    """Trains the student in place on codes (n,) with the teacher's help, and gives the loss of each step."""
    return Distiller(student, teacher, codes, config, distillation=distillation or Distillation()).run()
