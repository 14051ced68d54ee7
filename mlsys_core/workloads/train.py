"""The training loop: batches in, losses out, the same ones for the same seed, and a place to stop and go on from.

Idea      AdamW on random windows of a text, with a warm-up, a rate that falls along a cosine or stays, and gradients cut to
          a largest norm. Everything random follows from a seed and the step, so a run that is interrupted ends as if it
          had not been.
Equation  η(s) = η (s+1)/w for s < w;  after it η (f + (1-f) (1 + cos π (s-w)/(S-w)) / 2), or η
          g ← g min(1, c / ‖g‖)
Paper     I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, and "SGDR", ICLR 2017 (the cosine);
          R. Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013 (clipping).
Cost      `accounting.gpt` a step, and 16 bytes a parameter of state.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from mlsys_core.workloads import text
from mlsys_core.workloads.curriculum import Curriculum
from mlsys_core.workloads.gpt import GPT
from mlsys_core.workloads.text import Codes

SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class TrainConfig:
    """Steps on batches of `batch` windows of `time`, and how weights follow gradients.

    `schedule` is `cosine` (down to `final` of the rate) or `constant`, both after `warmup` steps of linear growth.
    Matrices decay by `weight_decay`, vectors do not. `seed` draws the windows.
    """

    steps: int = 200
    batch: int = 16
    time: int = 64
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    warmup: int = 10
    final: float = 0.1
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    seed: int = 0
    curriculum: Curriculum | None = None

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"There is no schedule {self.schedule!r}: choose one of {', '.join(SCHEDULES)}.")
        if self.curriculum is not None and self.curriculum.end != self.time:
            raise ValueError(
                f"The curriculum ends at windows of {self.curriculum.end} and the batches have {self.time}: make them equal."
            )

    def rate(self, step: int) -> float:
        """The learning rate at this step, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        done = min((step - self.warmup) / max(1, self.steps - self.warmup), 1.0)
        return self.learning_rate * (self.final + (1 - self.final) * (1 + cos(pi * done)) / 2)

    @property
    def tokens(self) -> int:
        """Tokens that all steps see."""
        if self.curriculum is not None:
            return self.curriculum.tokens(self.batch, self.steps)
        return self.steps * self.batch * self.time


class Trainer:
    """A model, its optimizer, and how far they have come."""

    def __init__(self, model: GPT, codes: Codes, config: TrainConfig) -> None:
        """Trains `model` in place on codes (n,) of a text."""
        self.model, self.codes, self.config = model, codes, config
        self.step = 0
        weights = list(model.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)

    def run(self, steps: int | None = None) -> list[float]:
        """Losses of the next `steps` steps, or of all that are left."""
        config, first = self.config, self.step
        last = config.steps if steps is None else min(config.steps, first + steps)
        windows = text.batches(self.codes, config.batch, config.time, last, config.seed)
        return [self._update(*one) for one in islice(windows, first, last)]

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """What a step makes smaller, for tokens and targets (B, T): the model's loss, unless a subclass has another."""
        return self.model.loss(tokens, targets)

    def _update(self, tokens: Codes, targets: Codes) -> float:
        config = self.config
        if config.curriculum is not None:
            tokens, targets = config.curriculum.cut(tokens, targets, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(self.step)
        self.optimizer.zero_grad()
        loss = self.loss(_tensor(tokens, self.model), _tensor(targets, self.model))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        return float(loss.item())

    def state_dict(self) -> dict[str, Any]:
        """Weights, the optimizer's state and the step: with the same config and text, all that goes on needs."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def train(model: GPT, codes: Codes, config: TrainConfig) -> list[float]:
    """Trains the model in place and gives the loss of each step."""
    return Trainer(model, codes, config).run()


@torch.no_grad()
def evaluate(model: GPT, codes: Codes, *, batch: int = 16, time: int = 64, batches: int = 8, seed: int = 0) -> float:
    """Mean loss in nats a token on random windows of a text, the same ones for the same seed."""
    windows = text.batches(codes, batch, time, batches, seed)
    return sum(float(model.loss(_tensor(a, model), _tensor(b, model)).item()) for a, b in windows) / batches


def _tensor(codes: Codes, model: GPT) -> Tensor:
    """Codes where the model is."""
    return torch.from_numpy(codes.copy()).to(model.embed.weight.device)
