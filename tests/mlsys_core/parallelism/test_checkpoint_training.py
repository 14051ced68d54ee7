"""Training that stops, is saved, and goes on at the same layout or at another, against training that never stopped."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.parallelism.checkpoint import (
    CheckpointError,
    Layout,
    RankState,
    adam_states,
    load,
    restore,
    save,
    split,
)
from mlsys_core.parallelism.checkpoint.reshape import finish, write_part
from mlsys_core.parallelism.collectives import all_gather_into_tensor, chunk_sizes, reduce_scatter_tensor
from mlsys_core.parallelism.communication import run_processes, run_ranks
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import BATCH, LEARNING_RATE, TINY, adam, batches, single_process


def shapes_of(model):
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def sharded_training(comm, steps, load_from=None, save_to=None):
    """ZeRO's first stage: each replica has its rows of the batch and a part of Adam's states. Returns losses and weights."""
    layout, model = Layout(dp=comm.size), GPT(TINY)
    weights = dict(model.named_parameters())
    shapes = shapes_of(model)
    size = layout.shard_size(shapes, comm.rank)
    part = slice(comm.rank * size, (comm.rank + 1) * size)

    def flat(tensors):
        joined = torch.cat([tensor.detach().flatten() for tensor in tensors])
        return torch.nn.functional.pad(joined, (0, size * comm.size - len(joined)))

    state = load(load_from, layout, comm.rank) if load_from else None
    for name, weight in weights.items() if state else ():
        weight.data.copy_(state.weights[name])
    own = flat(weights.values())[part].clone()
    optimizer = torch.optim.Adam([own], lr=LEARNING_RATE)
    if state:
        optimizer.state[own] = {"step": torch.tensor(float(state.step)), **state.states}
    losses = []
    for tokens, targets in [batches(TINY)[step] for step in steps]:
        model.zero_grad()
        rows = chunk_sizes(BATCH, comm.size)
        mine = slice(sum(rows[: comm.rank]), sum(rows[: comm.rank + 1]))
        loss = model.loss(tokens[mine], targets[mine]) * rows[comm.rank] / BATCH
        loss.backward()
        own.grad = reduce_scatter_tensor(torch.empty(size), flat(w.grad for w in weights.values()), comm)
        optimizer.step()
        gathered = all_gather_into_tensor(torch.empty(size * comm.size), own, comm)
        begin = 0
        for weight in weights.values():
            weight.data.copy_(gathered[begin : begin + weight.numel()].view(weight.shape))
            begin += weight.numel()
        losses.append(loss.item())
    if save_to:
        kept = {kind: optimizer.state[own][kind] for kind in ("exp_avg", "exp_avg_sq")}
        held = {name: weight.detach() for name, weight in weights.items()}
        save(save_to, RankState(held, kept, int(optimizer.state[own]["step"])), shapes, layout, comm)
    return losses, {name: weight.detach().clone() for name, weight in weights.items()}


def first_half(comm, save_to):
    """For processes, whose results are copied: nothing is handed back but what is on the disk."""
    sharded_training(comm, range(5), None, save_to)


def together(results):
    """Losses of the whole batch, and the weights, which are the same on every rank."""
    for _, weights in results[1:]:
        assert all(torch.equal(weights[name], results[0][1][name]) for name in weights)
    return [sum(parts) for parts in zip(*(losses for losses, _ in results), strict=True)], results[0][1]


def test_sharded_training_goes_on_as_if_it_had_never_stopped_and_at_another_layout_within_fp32(tmp_path, held):
    whole = single_process()
    never, _ = run_ranks(3, sharded_training, range(10))
    first, _ = run_ranks(3, sharded_training, range(4), None, tmp_path / "step-4")
    again, _ = run_ranks(3, sharded_training, range(4, 10), tmp_path / "step-4")
    losses, weights = together(again)
    expected_losses, expected = together(never)
    assert together(first)[0] + losses == expected_losses
    held("checkpoint, same layout", "training that never stopped", weights, expected, 0)
    for ranks in (1, 4):
        other, _ = run_ranks(ranks, sharded_training, range(4, 10), tmp_path / "step-4")
        losses, weights = together(other)
        found = {"losses": losses, "weights": weights}
        held(
            "checkpoint, dp 3 to dp 1 and 4",
            "single process",
            found,
            {"losses": whole.losses[4:], "weights": whole.weights},
            2e-5,
        )


def test_real_processes_save_what_another_number_of_them_loads(tmp_path, held):
    run_processes(2, first_half, tmp_path / "step-5")
    again, _ = run_ranks(4, sharded_training, range(5, 10), tmp_path / "step-5")
    held("checkpoint, gloo dp 2 to dp 4", "single process", together(again)[1], single_process().weights, 2e-5)


@pytest.mark.parametrize("layout", [Layout(), Layout(tp=2, pp=2, dp=2), Layout(tp=3, dp=2)])
def test_torchs_adam_goes_on_bitwise_from_a_checkpoint_of_any_layout(tmp_path, layout):
    model = GPT(TINY)
    optimizer = adam(list(model.parameters()))

    def steps(model, optimizer, numbers):
        for step in numbers:
            optimizer.zero_grad()
            model.loss(*batches(TINY)[step]).backward()
            optimizer.step()

    steps(model, optimizer, range(3))
    states, taken = adam_states(model, optimizer)
    weights = dict(model.named_parameters())
    parts = [
        write_part(tmp_path, split(weights, states, taken, layout, rank), shapes_of(model), layout, rank)
        for rank in range(layout.mesh.size)
    ]
    finish(tmp_path, parts, shapes_of(model), layout)
    other = GPT(TINY, seed=5)
    resumed = adam(list(other.parameters()))
    restore(other, resumed, load(tmp_path, Layout(), 0))
    steps(model, optimizer, range(3, 10))
    steps(other, resumed, range(3, 10))
    for name, weight in other.named_parameters():
        assert torch.equal(weight, weights[name]), name


def test_a_checkpoint_of_another_model_is_a_sentence():
    model = GPT(TINY)
    states, taken = adam_states(model, adam(list(model.parameters())))
    assert taken == 0
    other = GPT(GPTConfig(dim=16, heads=2))
    with pytest.raises(CheckpointError, match="of another model"):
        restore(other, adam(list(other.parameters())), split(dict(model.named_parameters()), states, 0, Layout(), 0))
