"""The tiny GPT on meshes dp × pp × tp against one process: losses, first gradients, ten steps, and a stop between two meshes."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.parallelism.checkpoint import Layout, load, save
from mlsys_core.parallelism.communication import run_processes, run_ranks
from mlsys_core.parallelism.three_d import ThreeDTrainer
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import LEARNING_RATE, TINY, batches, single_process

MICROBATCHES = 2


def train(comm, layout, steps, load_from=None, save_to=None):
    """Losses, gradients of the first step and weights by name, of this rank's slices, as plain lists."""
    trainer = ThreeDTrainer(GPT(TINY), layout, comm, MICROBATCHES, LEARNING_RATE)
    if load_from:
        trainer.load(load(load_from, layout, comm.rank))
    losses, gradients = [], {}
    for step in steps:
        losses.append(trainer.step(*batches(TINY)[step]))
        gradients = gradients or {name: w.grad.tolist() for name, w in trainer.weights.items()}
    if save_to:
        save(save_to, trainer.state(), trainer.shapes, layout, comm)
    return losses, gradients, {name: weight.tolist() for name, weight in trainer.weights.items()}


def together(layout, results):
    """Losses of the whole batch, and whole weights, put in their places; replicas must agree to the bit."""
    shapes = {name: tuple(weight.shape) for name, weight in GPT(TINY).named_parameters()}
    weights = {name: torch.full(shape, torch.nan) for name, shape in shapes.items()}
    for rank, (_, _, own) in enumerate(results):
        for piece in layout.weights(shapes, rank):
            place = weights[piece.tensor][piece.index]
            mine = torch.tensor(own[piece.tensor])
            assert place.isnan().all() or torch.equal(place, mine), "who holds a weight twice holds the same"
            weights[piece.tensor][piece.index] = mine
    last = [rank for rank in range(layout.mesh.size) if layout.mesh.coordinates(rank)["pp"] == layout.pp - 1]
    # the shards of a layer all know the loss
    firsts = [rank for rank in last if layout.mesh.coordinates(rank)["tp"] == 0]
    losses = [sum(parts) for parts in zip(*(results[rank][0] for rank in firsts), strict=True)]
    return {"losses": losses, "weights": weights}


def first_gradients(layout, results):
    """Gradients of the first step: of each replica those of its rows, averaged, put in their places."""
    shapes = {name: tuple(weight.shape) for name, weight in GPT(TINY).named_parameters()}
    whole = {name: torch.zeros(shape) for name, shape in shapes.items()}
    for rank, (_, gradients, _) in enumerate(results):
        for piece in layout.weights(shapes, rank):
            if layout.is_first(piece.tensor, shapes, rank):
                whole[piece.tensor][piece.index] += torch.tensor(gradients[piece.tensor]) / layout.dp
    return whole


@pytest.mark.parametrize(
    "layout", [Layout(tp=2, pp=2, dp=2), Layout(tp=1, pp=4, dp=2), Layout(tp=2, pp=1, dp=4)], ids=str
)
def test_ten_steps_on_eight_ranks_are_those_of_one_process(held, layout):
    whole = single_process()
    results, _ = run_ranks(8, train, layout, range(10))
    expected = {"losses": whole.losses, "weights": whole.weights}
    held("dp x pp x tp, ten steps", "single process", together(layout, results), expected, 2e-5)
    held("dp x pp x tp, first gradients", "single process", first_gradients(layout, results), whole.gradients, 1e-6)


def test_real_processes_train_on_a_mesh(held):
    layout = Layout(tp=2, pp=2, dp=1)
    whole = single_process()
    found = together(layout, run_processes(4, train, layout, range(10)))
    held(
        "dp x pp x tp, ten steps on gloo",
        "single process",
        found,
        {"losses": whole.losses, "weights": whole.weights},
        2e-5,
    )


def test_training_stops_on_tp2_pp2_dp2_and_goes_on_there_to_the_bit_and_on_tp1_pp4_dp1_within_fp32(tmp_path, held):
    before, after = Layout(tp=2, pp=2, dp=2), Layout(tp=1, pp=4, dp=1)
    never = together(before, run_ranks(8, train, before, range(10))[0])
    folder = tmp_path / "step-4"
    run_ranks(8, train, before, range(4), None, folder)
    same = together(before, run_ranks(8, train, before, range(4, 10), folder)[0])
    held("checkpoint of dp x pp x tp, same mesh", "training that never stopped", same["weights"], never["weights"], 0)
    assert same["losses"] == never["losses"][4:]
    other = together(after, run_ranks(4, train, after, range(4, 10), folder)[0])
    expected = {"losses": never["losses"][4:], "weights": never["weights"]}
    held("checkpoint of tp2 pp2 dp2 on tp1 pp4", "training that never stopped", other, expected, 2e-5)


def test_messages_stay_in_their_groups():
    layout = Layout(tp=2, pp=2, dp=2)
    _, log = run_ranks(8, train, layout, range(1))
    mesh = layout.mesh
    for message in log.messages:
        a, b = mesh.coordinates(message.source), mesh.coordinates(message.to)
        assert sum(a[name] != b[name] for name in mesh.names) == 1, "each message goes along one dimension"


def test_what_a_mesh_cannot_train_is_a_sentence():
    tied = GPT(GPTConfig(tie_embeddings=True))
    with pytest.raises(ValueError, match="on two stages"):
        run_ranks(2, lambda comm: ThreeDTrainer(tied, Layout(pp=2), comm, 2))
    with pytest.raises(ValueError, match="mesh of 4 ranks"):
        run_ranks(2, lambda comm: ThreeDTrainer(GPT(TINY), Layout(tp=2, pp=2), comm, 2))
