"""Training with less communication: programs for both backends."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook as of_torch
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from mlsys_core.parallelism.collectives import all_reduce
from mlsys_core.parallelism.compression import OneBitAdam, PowerSGDState, TopKState, powersgd_hook, topk_hook
from mlsys_core.parallelism.data_parallel import DistributedDataParallel
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism.ddp_programs import mine, ours
from tests.mlsys_core.parallelism.training import LEARNING_RATE, TINY, Trace, batches

ROWS, COLUMNS, RANK, WARM = 6, 5, 2, 2


def exactly_topk(comm, model):
    """All elements are among the largest n."""
    return TopKState(comm, 1.0), topk_hook


def full_rank(comm, model):
    """No gradient has a higher one."""
    return PowerSGDState(comm, matrix_approximation_rank=10_000, min_compression_rate=0), powersgd_hook


def exact(comm):
    """Compression that loses nothing, and 1-bit Adam that is still warm, must be the single process's run."""
    pairs = beside_torch(comm) if comm.size == 2 else []
    return [ours(comm, hook=exactly_topk), ours(comm, hook=full_rank, steps=1), warm(comm), pairs]


def warm(comm):
    """Ten steps of 1-bit Adam's warm-up."""
    model = GPT(TINY)
    optimizer = OneBitAdam(model.parameters(), comm, warmup_steps=10, lr=LEARNING_RATE)
    losses, gradients = [], {}
    for tokens, targets in batches(TINY):
        optimizer.zero_grad()
        loss = model.loss(mine(comm, tokens), mine(comm, targets))
        loss.backward()
        if not gradients:
            gradients = {name: all_reduce(p.grad.clone(), comm) / comm.size for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(all_reduce(loss.detach(), comm).item() / comm.size)
    return Trace(losses, gradients, {name: p.detach().clone() for name, p in model.named_parameters()})


class OneMatrix(nn.Module):
    """Its gradient is what it is multiplied with."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(ROWS, COLUMNS, dtype=torch.float64))

    def forward(self, gradient):
        return (self.weight * gradient).sum()


def beside_torch(comm):
    """(ours, torch's) means of six steps with the same gradients, which change slowly, and the same first Q."""
    draws = torch.Generator().manual_seed(comm.rank)
    first = torch.randn(ROWS, COLUMNS, generator=draws, dtype=torch.float64)
    own, theirs = OneMatrix(), OneMatrix()
    ddp, ddp_of_torch = DistributedDataParallel(own, comm), TorchDDP(theirs)
    state = PowerSGDState(comm, RANK, start_powerSGD_iter=WARM, min_compression_rate=0.5)
    ddp.register_comm_hook(state, powersgd_hook)
    torch_state = of_torch.PowerSGDState(
        process_group=None, matrix_approximation_rank=RANK, start_powerSGD_iter=WARM, min_compression_rate=0.5
    )
    start = torch.randn(COLUMNS, RANK, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    state.factors[0] = [start.clone()]
    torch_state.q_memory_dict[0] = start.flatten().clone()
    torch_state.p_memory_dict[0] = torch.zeros(ROWS * RANK, dtype=torch.float64)
    ddp_of_torch.register_comm_hook(torch_state, of_torch.powerSGD_hook)
    found = []
    for step in range(6):
        gradient = first + 0.1 * step * torch.randn(ROWS, COLUMNS, generator=draws, dtype=torch.float64)
        own.zero_grad()
        theirs.zero_grad()
        ddp(gradient).backward()
        ddp_of_torch(gradient).backward()
        found.append((own.weight.grad.clone(), theirs.weight.grad.clone()))
    return found
