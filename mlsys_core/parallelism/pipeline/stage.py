"""A GPT cut into stages: the embedding in the first, the head in the last, some blocks in each.

Idea      A stage is a module that takes what the stage before gives. Parameters keep the names that they have in the whole model,
          so that a stage's gradients and weights are compared and saved without a table of names.
Equation  gpt = stage_{n-1} ∘ … ∘ stage_0;  with tied embeddings dE = dE of the first stage + dE of the last
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, and the tied embedding of Megatron's pipeline.
Cost      Between stages b · s · h values a microbatch, each way; tied embeddings add one all-reduce of V · h a step between two ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.collectives import all_reduce, chunk_sizes
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.pipeline.schedule import Schedule
from mlsys_core.workloads.gpt import GPT


class Stage(nn.Module):
    """Tokens (B, T) or activations (B, T, dim) in, activations or, from the last stage, logits (B, T, vocabulary) out."""

    def __init__(self, model: GPT, blocks: range, *, first: bool, last: bool) -> None:
        super().__init__()
        self.config, self.first, self.last = model.config, first, last
        if first:
            self.embed = model.embed
        self.blocks = nn.ModuleDict({str(i): model.blocks[i] for i in blocks})
        if last:
            self.norm, self.head = model.norm, model.head

    def forward(self, x: Tensor) -> Tensor:
        """This stage's part of the model."""
        positions = torch.arange(x.shape[1])
        x = self.embed(x) if self.first else x
        for block in self.blocks.values():
            x = block(x, positions)
        return self.head(self.norm(x)) if self.last else x


def cut(model: GPT, stages: int, blocks: Sequence[int] | None = None) -> list[Stage]:
    """The model's stages in order, which share its parameters. `blocks` counts those of each; without it they are even.

    Raises ValueError where the counts do not add up to the model's blocks.
    """
    counts = list(blocks) if blocks is not None else chunk_sizes(model.config.layers, stages)
    if len(counts) != stages or sum(counts) != model.config.layers or min(counts) < 0:
        raise ValueError(
            f"{counts} blocks in {stages} stages are not the model's {model.config.layers}: give one count a stage."
        )
    ends = [sum(counts[: i + 1]) for i in range(stages)]
    return [
        Stage(model, range(end - count, end), first=i == 0, last=i == stages - 1)
        for i, (count, end) in enumerate(zip(counts, ends, strict=True))
    ]


def own_stages(model: GPT, schedule: Schedule, rank: int, blocks: Sequence[int] | None = None) -> list[Stage]:
    """The stages of a rank, by chunk; what the others run is dropped with the model."""
    return cut(model, schedule.stages, blocks)[rank :: schedule.ranks]


def sum_tied_gradients(stages: Sequence[Stage], comm: Communicator) -> None:
    """Gives the first and the last rank the sum of their gradients of the tied embedding; every rank calls it before a step.

    Both then take the same step, so the two copies stay equal. On one rank the parameter is one, and autograd has summed.
    """
    if comm.size == 1 or not stages[0].config.tie_embeddings:
        return
    ends = [stage.embed.weight for stage in stages if stage.first] + [
        stage.head.weight for stage in stages if stage.last
    ]
    for weight in ends:
        with comm.label("tied embedding"):
            all_reduce(weight.grad, comm.group((0, comm.size - 1)))
