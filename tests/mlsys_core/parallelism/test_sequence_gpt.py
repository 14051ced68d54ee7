"""The GPT on parts of sequences: equal to one process, whichever attention spans the ranks."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.sequence import SequenceParallel, contiguous, ring_attention, ulysses_attention, zigzag
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism.split_programs import ATTENTIONS, SMALL, by_positions
from tests.mlsys_core.parallelism.training import batches, single_process


@pytest.fixture(scope="module")
def alone():
    return single_process(SMALL)


@pytest.mark.parametrize(("name", "ranks"), [("ring", 2), ("zigzag ring", 4), ("Ulysses", 4)])
def test_ten_steps_are_those_of_one_process(name, ranks, alone, held):
    assert name in ATTENTIONS
    traces, _ = run_ranks(ranks, by_positions, name)
    for found in traces:
        held(f"GPT by {name}, step 1", "one process", found.gradients, alone.gradients, 1e-6)
        held(f"GPT by {name}, losses", "one process", found.losses, alone.losses, 1e-6)
        held(f"GPT by {name}, 10 steps", "one process", found.weights, alone.weights, 5e-5)


@pytest.mark.parametrize("attention", [ring_attention, ulysses_attention])
@pytest.mark.parametrize(("length", "place"), [(13, contiguous), (7, contiguous), (11, zigzag)])
def test_logits_are_those_of_the_whole_sequence_at_any_length(attention, length, place, held):
    """Lengths that two ranks share unevenly: positions are turned by where they are in the whole sequence."""
    model, tokens = GPT(SMALL), batches(SMALL, steps=1)[0][0][:3, :length]

    def program(comm):
        split = SequenceParallel(model, comm, attention=attention, place=place)
        return split(tokens).detach(), split.loss(tokens, tokens).item()

    results, _ = run_ranks(2, program)
    whole = place(length, 2).restore([logits for logits, _ in results])
    held("GPT on parts of sequences", "one process", whole, model(tokens), 1e-6)
    held(
        "GPT on parts of sequences",
        "one process",
        [loss for _, loss in results],
        [model.loss(tokens, tokens)] * 2,
        1e-6,
    )


def test_the_wrapped_model_is_left_as_it_was():
    model, (tokens, _) = GPT(SMALL), batches(SMALL, steps=1)[0]
    before = model(tokens)
    run_ranks(2, lambda comm: SequenceParallel(model, comm).module.embed.weight.data.zero_())
    assert torch.equal(model(tokens), before)
