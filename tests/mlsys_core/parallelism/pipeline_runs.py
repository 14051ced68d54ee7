"""Programs of pipeline ranks, which threads and gloo processes run alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.pipeline import (
    Durations,
    Outcome,
    Schedule,
    own_stages,
    run_schedule,
    split_batch,
    sum_tied_gradients,
)
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import STEPS, TINY, Trace, adam, batches


@dataclass
class Ran:
    """What one rank has after training: its losses (None where it has no last stage), its part of the rest."""

    losses: list[float | None]
    gradients: dict[str, Tensor]
    weights: dict[str, Tensor]
    outcome: Outcome


@dataclass(frozen=True)
class Case:
    """What to run."""

    schedule: Schedule
    config: GPTConfig
    blocks: tuple[int, ...] | None = None
    recompute: bool = False
    steps: int = STEPS
    times: Durations | None = None


def train(comm: Communicator, case: Case) -> Ran:
    """Ten steps of the run that `single_process` makes."""
    stages = own_stages(GPT(case.config), case.schedule, comm.rank, case.blocks)
    parameters = {name: p for stage in stages for name, p in stage.named_parameters()}
    optimizer = adam(list({id(p): p for p in parameters.values()}.values()))
    losses: list[float | None] = []
    gradients: dict[str, Tensor] = {}
    for tokens, targets in batches(case.config, case.steps):
        optimizer.zero_grad()
        batch = split_batch(tokens, targets, case.schedule.microbatches)
        outcome = run_schedule(case.schedule, stages, comm, batch, recompute=case.recompute, times=case.times)
        sum_tied_gradients(stages, comm)
        gradients = gradients or {name: p.grad.clone() for name, p in parameters.items()}
        optimizer.step()
        losses.append(outcome.loss)
    return Ran(losses, gradients, {name: p.detach() for name, p in parameters.items()}, outcome)


def joined(ran: Sequence[Ran], config: GPTConfig) -> Trace:
    """The ranks' parts as one run. A tied embedding is held twice, and both must be the same bits."""
    gradients = {name: g for one in ran for name, g in one.gradients.items()}
    weights = {name: w for one in ran for name, w in one.weights.items()}
    if config.tie_embeddings and "head.weight" in weights:
        assert torch.equal(weights.pop("head.weight"), weights["embed.weight"])
        assert torch.equal(gradients.pop("head.weight"), gradients["embed.weight"])
    return Trace([loss for loss in ran[-1].losses if loss is not None], gradients, weights)


def train_all(comm: Communicator, cases: Sequence[Case], torchs: Sequence[str] = ()) -> tuple[list[Ran], Any]:
    """Several runs in the same processes; and torch's own pipelines on the same stages, by the names of their schedules."""
    return [train(comm, case) for case in cases], {name: with_torch(comm, name, TINY) for name in torchs}


def with_torch(comm: Communicator, name: str, config: GPTConfig) -> tuple[dict[str, Tensor], list[float]]:
    """Gradients of the first batch and losses of its microbatches by a schedule of torch.distributed.pipelining."""
    from torch.distributed import pipelining

    schedules = own_schedule(name, comm.size)
    stages = own_stages(GPT(config), schedules, comm.rank)
    pipes = [
        pipelining.PipelineStage(stage, chunk * comm.size + comm.rank, schedules.stages, torch.device("cpu"))
        for chunk, stage in enumerate(stages)
    ]
    losses: list[Tensor] = []
    several = schedules.chunks > 1
    runner = getattr(pipelining, name)(pipes if several else pipes[0], schedules.microbatches, loss_fn=_loss)
    tokens, targets = batches(config, 1)[0]
    first, last = ([tokens] if comm.rank == 0 else []), comm.rank == comm.size - 1
    runner.step(*first, **({"target": targets, "losses": losses} if last else {}))
    return (
        {name: p.grad for stage in stages for name, p in stage.named_parameters()},
        [loss.item() for loss in losses],
    )


def own_schedule(name: str, ranks: int) -> Schedule:
    """Our schedule for a name of torch's."""
    from mlsys_core.parallelism import pipeline

    return {
        "ScheduleGPipe": pipeline.gpipe(ranks, 4),
        "Schedule1F1B": pipeline.one_f_one_b(ranks, 4),
        "ScheduleInterleaved1F1B": pipeline.interleaved_1f1b(ranks, 4, 2),
    }[name]


def torchs_interleaved_order(p: int, m: int, v: int) -> list[list[str]]:
    """What ScheduleInterleaved1F1B would do on each rank: stage, kind, microbatch."""
    from torch.distributed.pipelining.schedules import ScheduleInterleaved1F1B

    sizes = SimpleNamespace(
        n_local_stages=v, pp_group_size=p, _n_microbatches=m, microbatches_per_round=p, number_of_rounds=m // p
    )
    actions = [ScheduleInterleaved1F1B._calculate_single_rank_operations(sizes, rank) for rank in range(p)]
    return [[str(action) for action in one if action is not None] for one in actions]


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
