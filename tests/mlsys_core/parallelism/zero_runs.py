"""Programs of ZeRO's ranks, which threads and gloo processes run alike; and the same training unsharded, and by torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.zero import Zero, gpt_units, held_bytes
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import BATCH, LEARNING_RATE, STEPS, Optimizer, Trace, adam, batches


@dataclass(frozen=True)
class Case:
    """What to run. `frozen` begins the names of parameters that do not learn; `accumulate` is backwards a step."""

    stage: int
    config: GPTConfig
    dtype: torch.dtype = torch.float32
    overlap: bool = False
    max_norm: float | None = None
    frozen: tuple[str, ...] = ()
    accumulate: int = 1
    batch: int = BATCH
    steps: int = STEPS
    optimizer: Optimizer = field(default=adam)


@dataclass
class Ran:
    """What a rank has after training: the trace (its own losses), norms before clipping, bytes held before the last step."""

    trace: Trace
    norms: list[float | None]
    held: dict[str, int]


def adamw(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """AdamW that shrinks."""
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.1)


def momentum(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """Gradient descent with momentum."""
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def model_of(case: Case) -> GPT:
    """The tiny model, partly frozen."""
    model = GPT(case.config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(name.startswith(part) for part in case.frozen))
    return model


def parts(case: Case, rank: int, ranks: int) -> list[list[tuple[Tensor, Tensor]]]:
    """A rank's microbatches of each step."""
    return [
        list(
            zip(
                x.tensor_split(ranks)[rank].chunk(case.accumulate),
                y.tensor_split(ranks)[rank].chunk(case.accumulate),
                strict=True,
            )
        )
        for x, y in batches(case.config, case.steps, batch=case.batch)
    ]


def train(comm: Communicator, case: Case) -> Ran:
    """Training on this rank's part of each batch."""
    model = model_of(case)
    zero = Zero(
        model,
        comm,
        case.stage,
        case.optimizer,
        units=gpt_units(model),
        dtype=case.dtype,
        max_norm=case.max_norm,
        overlap=case.overlap,
    )
    trace, norms, held = Trace([], {}, {}), [], {}
    for step in parts(case, comm.rank, comm.size):
        losses = []
        for tokens, targets in step:
            loss = model.loss(tokens, targets) / len(step)
            loss.backward()
            losses.append(loss.item())
        zero.reduce()
        held = held_bytes(zero)
        trace.gradients = trace.gradients or zero.gradients()
        norms.append(zero.step())
        trace.losses.append(sum(losses))
    trace.weights = zero.weights()
    return Ran(trace, norms, held)


def train_all(comm: Communicator, cases: Sequence[Case]) -> list[Ran]:
    """Several runs in the same processes."""
    return [train(comm, case) for case in cases]


def unsharded(case: Case, ranks: int) -> Ran:
    """The same in one process: each rank's gradient for itself, their mean, and one step of the whole optimizer.

    In 16 bits the optimizer steps float32 copies, and the model takes their rounded values.
    """
    model = model_of(case).to(case.dtype)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    whole = dict(model_of(case).named_parameters())
    masters = {name: whole[name].detach() for name in trained}
    optimizer = case.optimizer(list(masters.values()))
    trace, norms = Trace([], {}, {}), []
    of_ranks = [parts(case, rank, ranks) for rank in range(ranks)]
    for step in zip(*of_ranks, strict=True):
        mean = {name: torch.zeros_like(p) for name, p in trained.items()}
        losses = 0.0
        for microbatches in step:
            model.zero_grad()
            for tokens, targets in microbatches:
                loss = model.loss(tokens, targets) / len(microbatches)
                loss.backward()
                losses += loss.item() / ranks
            for name, p in trained.items():
                mean[name] += p.grad / ranks
        trace.gradients = trace.gradients or {name: g.float() for name, g in mean.items()}
        for name, master in masters.items():
            master.grad = mean[name].to(master.dtype)
        norms.append(
            float(nn.utils.clip_grad_norm_(list(masters.values()), case.max_norm))
            if case.max_norm is not None
            else None
        )
        optimizer.step()
        with torch.no_grad():
            for name, p in trained.items():
                p.copy_(masters[name])
        trace.losses.append(losses)
    frozen = {name: p.detach().float() for name, p in model.named_parameters() if name not in trained}
    trace.weights = {**masters, **frozen}
    return Ran(trace, norms, {})


def by_fsdp2(comm: Communicator, case: Case) -> Trace:
    """torch's fully_shard, a group a block and one for the rest."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    model = model_of(case)
    policy = MixedPrecisionPolicy() if case.dtype == torch.float32 else MixedPrecisionPolicy(case.dtype, case.dtype)
    for block in model.blocks:
        fully_shard(block, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
    optimizer = case.optimizer(list(model.parameters()))
    trace = Trace([], {}, {})
    for ((tokens, targets),) in parts(case, comm.rank, comm.size):
        optimizer.zero_grad()
        loss = model.loss(tokens, targets)
        loss.backward()
        trace.gradients = trace.gradients or {name: p.grad.full_tensor() for name, p in model.named_parameters()}
        optimizer.step()
        trace.losses.append(loss.item())
    trace.weights = {name: p.detach().full_tensor() for name, p in model.named_parameters()}
    return trace


def by_zero_redundancy_optimizer(comm: Communicator, case: Case) -> Trace:
    """torch's ZeroRedundancyOptimizer on gradients that an all-reduce has averaged: ZeRO's first stage."""
    from torch import distributed
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = model_of(case)
    optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.Adam, lr=LEARNING_RATE)
    trace = Trace([], {}, {})
    for ((tokens, targets),) in parts(case, comm.rank, comm.size):
        optimizer.zero_grad()
        loss = model.loss(tokens, targets)
        loss.backward()
        for p in model.parameters():
            distributed.all_reduce(p.grad)
            p.grad /= comm.size
        trace.gradients = trace.gradients or {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        trace.losses.append(loss.item())
    trace.weights = {name: p.detach() for name, p in model.named_parameters()}
    return trace
