"""Everything that splits operators, on real processes over gloo: the same ten steps as one process, and DTensor's results."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.communication import run_processes
from mlsys_core.parallelism.tensor import (
    ColumnParallelLinear,
    RowParallelLinear,
    VocabParallelEmbedding,
    gather_full,
    vocab_parallel_cross_entropy,
)
from mlsys_core.parallelism.tensor.gpt import TensorParallelBlock
from mlsys_core.workloads.gpt import Block, SwiGLU
from tests.mlsys_core.parallelism.split_programs import (
    MANY_KEYS,
    SMALL,
    arrays,
    everything,
    experts_on_one_rank,
    joined,
)
from tests.mlsys_core.parallelism.training import Trace, single_process


@pytest.fixture(scope="module")
def alone():
    return single_process(SMALL), single_process(MANY_KEYS)


@pytest.mark.parametrize("ranks", [2, 4])
def test_ten_steps_over_gloo_are_those_of_one_process(ranks, alone, held):
    runs = run_processes(ranks, everything)
    pairs = [(name, Trace(**run[name]), alone["tensor" in name]) for run in runs for name in run if name != "experts"]
    pairs.append(("experts", joined([Trace(**run["experts"]) for run in runs]), experts_on_one_rank(ranks)))
    for name, found, expected in pairs:
        held(f"gloo: {name}, step 1", "one process", found.gradients, expected.gradients, 1e-6)
        held(f"gloo: {name}, losses", "one process", found.losses, expected.losses, 1e-6)
        held(f"gloo: {name}, 10 steps", "one process", found.weights, expected.weights, 5e-5)


def with_dtensor(comm):
    """Pairs (ours, DTensor's) of outputs and of gradients, by what was cut; runs in a process of gloo."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    mesh, draws = init_device_mesh("cpu", (comm.size,)), torch.Generator().manual_seed(0)
    x, cotangent = (torch.randn(2, 6, MANY_KEYS.dim, generator=draws) for _ in range(2))
    part = [t.chunk(comm.size, 1)[comm.rank] for t in (x, cotangent)]
    torch.manual_seed(0)
    pairs = {}

    whole = Block(MANY_KEYS)
    columns, rows = ColwiseParallel(), RowwiseParallel()
    plan = {f"attn.{name}_proj": columns for name in "qkv"} | {"attn.o_proj": rows, "ffn.down_proj": rows}
    theirs = parallelize_module(deepcopy(whole), mesh, plan | {"ffn.gate_proj": columns, "ffn.up_proj": columns})
    ours = TensorParallelBlock(whole, comm, sequence_parallel=False)
    where = torch.arange(6)
    pairs["block"] = [compare(comm, made, x, cotangent, lambda y, made=made: made(y, where)) for made in (ours, theirs)]

    feed = SwiGLU(MANY_KEYS)
    cut, joined_rows = ColwiseParallel(input_layouts=Shard(1)), RowwiseParallel(output_layouts=Shard(1))
    theirs = parallelize_module(deepcopy(feed), mesh, {"gate_proj": cut, "up_proj": cut, "down_proj": joined_rows})
    ours = deepcopy(feed)
    for name in ("gate_proj", "up_proj"):
        setattr(ours, name, ColumnParallelLinear(getattr(feed, name), comm, sequence_parallel=True))
    ours.down_proj = RowParallelLinear(feed.down_proj, comm, sequence_parallel=True)
    pairs["sequence-parallel feed-forward"] = [compare(comm, made, *part, made) for made in (ours, theirs)]

    table, tokens = torch.nn.Embedding(29, MANY_KEYS.dim), torch.randint(29, (2, 6), generator=draws)
    theirs = parallelize_module(deepcopy(table), mesh, RowwiseParallel(input_layouts=Replicate()))
    ours = VocabParallelEmbedding(table, comm)
    pairs["embedding"] = [compare(comm, made, tokens, cotangent, made) for made in (ours, theirs)]
    pairs["loss"] = losses(comm, mesh, torch.randn(12, 29, generator=draws), torch.randint(29, (12,), generator=draws))
    return {name: [arrays(one) for one in pair] for name, pair in pairs.items()}


def compare(comm, module, x, cotangent, call):
    """Output, gradient of the input, and the whole gradient of each weight."""
    x = x.clone().requires_grad_(x.is_floating_point())
    y = call(x)
    y.backward(cotangent)
    grads = {name: p.grad for name, p in module.named_parameters()}
    theirs = {name: grad.full_tensor() for name, grad in grads.items() if hasattr(grad, "full_tensor")}
    return {"y": y.detach(), "x": x.grad if x.grad is not None else 0.0, **(gather_full(grads, module, comm) | theirs)}


def losses(comm, mesh, logits, targets):
    """The mean loss and the gradient of this rank's logits."""
    from torch.distributed.tensor import distribute_tensor
    from torch.distributed.tensor.parallel import loss_parallel
    from torch.distributed.tensor.placement_types import Shard

    shard = distribute_tensor(logits, mesh, [Shard(1)]).requires_grad_()
    with loss_parallel():
        theirs = F.cross_entropy(shard, targets)
        theirs.backward()
    own = shard.to_local().detach().clone().requires_grad_()
    first = sum(len(chunk) for chunk in torch.arange(29).chunk(comm.size)[: comm.rank])
    ours = vocab_parallel_cross_entropy(own, targets, first, comm).mean()
    ours.backward()
    return [{"loss": ours.detach(), "grad": own.grad}, {"loss": theirs.full_tensor(), "grad": shard.grad.to_local()}]


def test_slices_and_their_gradients_are_dtensors(held):
    """The cut of the vocabulary by DTensor is torch.chunk's, which for 29 words and 2 ranks is ours: 15 and 14."""
    for pairs in run_processes(2, with_dtensor):
        for name, (ours, theirs) in pairs.items():
            held(f"tensor parallel: {name}", "DTensor on gloo", ours, theirs, 2e-6)
