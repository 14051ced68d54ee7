"""The tiny GPT trained by data parallelism: programs for both backends."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as TorchDDP

from mlsys_core.parallelism.collectives import all_reduce
from mlsys_core.parallelism.data_parallel import DistributedDataParallel
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism.training import TINY, Trace, adam, batches

BUCKET_MB = 0.03  # of 131 kB of gradients: five buckets


def mine(comm, tensor):
    """This rank's rows of a batch."""
    return tensor.chunk(comm.size)[comm.rank]


def ours(comm, config=TINY, micro_batches=1, hook=None, steps=None, **options):
    """Ten steps on this rank's rows, in micro-batches of which only the last is averaged; weights start as rank 0's."""
    model = GPT(config, seed=comm.rank)
    ddp = DistributedDataParallel(model, comm, bucket_cap_mb=BUCKET_MB, **options)
    if hook is not None:
        ddp.register_comm_hook(*hook(comm, model))
    losses, gradients = [], {}
    optimizer = adam(list(model.parameters()))
    for tokens, targets in batches(config)[:steps]:
        optimizer.zero_grad()
        total = torch.zeros(1)
        parts = list(zip(*(mine(comm, t).chunk(micro_batches) for t in (tokens, targets)), strict=True))
        with ddp.no_sync():
            for part in parts[:-1]:
                total += _backward(model, ddp, part, len(parts))
        total += _backward(model, ddp, parts[-1], len(parts))
        gradients = gradients or {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(all_reduce(total, comm).item() / comm.size)
    return Trace(losses, gradients, {name: p.detach().clone() for name, p in model.named_parameters()})


def _backward(model, ddp, part, parts):
    tokens, targets = part
    loss = torch.nn.functional.cross_entropy(ddp(tokens).flatten(0, 1), targets.flatten()) / parts
    loss.backward()
    return loss.detach()


def of_torch(comm):
    """The same with torch's wrapper."""
    model = GPT(TINY, seed=comm.rank)
    ddp = TorchDDP(model, bucket_cap_mb=BUCKET_MB)
    losses, gradients = [], {}
    optimizer = adam(list(model.parameters()))
    for tokens, targets in batches(TINY):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(ddp(mine(comm, tokens)).flatten(0, 1), mine(comm, targets).flatten())
        loss.backward()
        gradients = gradients or {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        losses.append(total.item() / comm.size)
    return Trace(losses, gradients, {name: p.detach().clone() for name, p in model.named_parameters()})


def train(comm):
    """Whole batches, the same in micro-batches where few ranks leave time for it, and torch's own, in one run."""
    return ours(comm), ours(comm, micro_batches=2) if comm.size == 2 else None, of_torch(comm)
