"""Programs of a rank that train the tiny GPT cut by layers, by positions and by experts; each gives the trace of the whole model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.moe import MoEConfig, MoEGPT, average_gradients, expert_parallel
from mlsys_core.parallelism.sequence import SequenceParallel, contiguous, ring_attention, ulysses_attention, zigzag
from mlsys_core.parallelism.tensor import gather_full, parallelize
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import TINY, Trace, adam, batches

# two layers: real processes need a switch of context for each of many small messages
SMALL = replace(TINY, layers=2)
# heads of keys for 4 ranks; a vocabulary (29) that no number of ranks divides
MANY_KEYS = replace(SMALL, kv_heads=4)
EXPERTS = MoEConfig(experts=6, top_k=2, ffn=24, capacity_factor=1.25, z_weight=1e-3, shared_ffn=8)
ATTENTIONS = {
    "ring": (ring_attention, contiguous),
    "zigzag ring": (ring_attention, zigzag),
    "Ulysses": (ulysses_attention, contiguous),
}
Named = dict[str, Tensor]


def train(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    settle: Callable[[], None] = lambda: None,
    whole: Callable[[Named], Named] = lambda tensors: {name: x.detach().clone() for name, x in tensors.items()},
) -> Trace:
    """Ten steps; `settle` ends a backward pass, `whole` makes tensors of the whole model of a rank's."""
    made = adam(list(model.parameters()))
    losses: list[float] = []
    gradients: Named = {}
    for tokens, targets in batches(SMALL):
        made.zero_grad()
        step = loss(tokens, targets)
        step.backward()
        settle()
        gradients = gradients or whole({name: p.grad for name, p in model.named_parameters()})
        made.step()
        losses.append(step.item())
    return Trace(losses, gradients, whole(dict(model.named_parameters())))


def by_layers(comm: Communicator, sequence_parallel: bool, config: GPTConfig = MANY_KEYS) -> Trace:
    """Tensor parallel."""
    model = parallelize(GPT(config), comm, sequence_parallel=sequence_parallel)
    return train(model, model.loss, whole=lambda tensors: gather_full(tensors, model, comm))


def by_positions(comm: Communicator, name: str) -> Trace:
    """Sequence parallel, with an attention of ATTENTIONS."""
    attention, place = ATTENTIONS[name]
    model = SequenceParallel(GPT(SMALL), comm, attention=attention, place=place)
    return train(model.module, model.loss, model.reduce_gradients)


def by_experts(comm: Communicator, moe: MoEConfig = EXPERTS) -> Trace:
    """Expert parallel, a part of the batch a rank; a trace of this rank's experts and its own losses."""
    model = expert_parallel(MoEGPT(SMALL, moe), comm)

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        return model.loss(tokens.chunk(comm.size)[comm.rank], targets.chunk(comm.size)[comm.rank])

    return train(model, loss, lambda: average_gradients(model, comm))


def experts_on_one_rank(groups: int, moe: MoEConfig = EXPERTS) -> Trace:
    """The same layers of experts on one device, whose tokens form as many groups as there would be ranks."""
    model = MoEGPT(SMALL, replace(moe, groups=groups))
    return train(model, model.loss)


def joined(traces: list[Trace]) -> Trace:
    """Experts of all ranks, and the mean of their losses."""
    losses = torch.tensor([trace.losses for trace in traces], dtype=torch.float64).mean(0).tolist()
    gradients = {name: x for trace in traces for name, x in trace.gradients.items()}
    return Trace(losses, gradients, {name: x for trace in traces for name, x in trace.weights.items()})


def everything(comm: Communicator) -> dict[str, dict[str, Any]]:
    """All of them, one after the other, in one run of processes; as arrays, which outlive the process that made them."""
    traces = {name: by_positions(comm, name) for name in ATTENTIONS}
    traces |= {f"tensor{' and sequence' * on}": by_layers(comm, on) for on in (False, True)}
    traces["experts"] = by_experts(comm)
    return {name: arrays(trace.as_dict()) for name, trace in traces.items()}


def arrays(tensors: dict[str, Any]) -> dict[str, Any]:
    """The same dictionary, or dictionary of dictionaries, with numpy's arrays for tensors."""
    return {
        name: arrays(x) if isinstance(x, dict) else x.detach().numpy() if isinstance(x, Tensor) else x
        for name, x in tensors.items()
    }
