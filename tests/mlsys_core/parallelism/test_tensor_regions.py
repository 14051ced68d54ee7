"""f, g and their kin: each backward pass is the transpose of its forward pass, over all ranks together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.tensor.regions import (
    copy_to_region,
    gather_from_region,
    gather_from_sequence_region,
    reduce_from_region,
    reduce_scatter_to_sequence_region,
    scatter_to_region,
    shares,
)


def both_ways(ranks: int, region: Callable, inputs: list, cotangents: list):
    """What each rank gets, and the gradient of what it gave."""

    def program(comm):
        x = inputs[comm.rank].clone().requires_grad_()
        y = region(x, comm)
        y.backward(cotangents[comm.rank])
        return y.detach(), x.grad

    results, _ = run_ranks(ranks, program)
    return [y for y, _ in results], [grad for _, grad in results]


def draw(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draws, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_a_copy_is_summed_on_the_way_back_and_a_sum_is_copied(ranks, held):
    inputs, cotangents = draw(ranks, *[(2, 3)] * ranks), draw(9, *[(2, 3)] * ranks)
    copies, copy_grads = both_ways(ranks, copy_to_region, [inputs[0]] * ranks, cotangents)
    sums, sum_grads = both_ways(ranks, reduce_from_region, inputs, [cotangents[0]] * ranks)
    held("tensor regions", "torch.sum", copies + sum_grads, [inputs[0]] * ranks + [cotangents[0]] * ranks, 0)
    held("tensor regions", "torch.sum", copy_grads + sums, [sum(cotangents)] * ranks + [sum(inputs)] * ranks, 1e-14)


@pytest.mark.parametrize("sizes", [(4,), (2, 2), (3, 3, 2), (1, 5, 2, 4)])
def test_gathered_features_stand_in_the_order_of_ranks_and_each_gets_its_part_of_the_gradient(sizes, held):
    ranks = len(sizes)
    whole, cotangent = draw(sum(sizes), (2, 3, sum(sizes)), (2, 3, sum(sizes)))
    parts, grads = whole.split(sizes, -1), cotangent.split(sizes, -1)
    gathered, back = both_ways(ranks, lambda x, comm: gather_from_region(x, comm, sizes), parts, [cotangent] * ranks)
    cut, joined = both_ways(ranks, lambda x, comm: scatter_to_region(x, comm, sizes), [whole] * ranks, grads)
    held("tensor regions", "torch.split", gathered + joined, [whole] * ranks + [cotangent] * ranks, 0)
    held("tensor regions", "torch.split", back + cut, [*grads, *parts], 0)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_sequences_are_gathered_one_way_and_reduce_scattered_the_other(ranks, held):
    time = 3 * ranks
    parts, wholes = draw(1, *[(2, 3, 5)] * ranks), draw(2, *[(2, time, 5)] * ranks)
    gathered, grads = both_ways(ranks, gather_from_sequence_region, parts, wholes)
    summed, back = both_ways(ranks, reduce_scatter_to_sequence_region, wholes, parts)
    held("tensor regions", "torch.cat", gathered + back, [torch.cat(parts, 1)] * ranks * 2, 0)
    expected = sum(wholes).split(3, 1)
    held("tensor regions", "torch.sum", grads + summed, [*expected, *expected], 1e-14)


@pytest.mark.parametrize("region", [copy_to_region, reduce_from_region, gather_from_sequence_region])
def test_a_region_and_its_gradient_are_transposes_over_all_ranks(region):
    """Σ_r <ȳ_r, y_r> = Σ_r <x̄_r, x_r> for any x and ȳ, where copies and replicated cotangents are counted once."""
    ranks, inputs = 3, draw(5, *[(1, 2, 4)] * 3)
    shape = both_ways(ranks, region, inputs, draw(6, *[(1, 6 if region is gather_from_sequence_region else 2, 4)] * 3))
    outputs = shape[0]
    cotangents = draw(7, *[tuple(y.shape) for y in outputs])
    if region is copy_to_region:
        inputs = [inputs[0]] * ranks
    if region is reduce_from_region:
        cotangents = [cotangents[0]] * ranks
    outputs, grads = both_ways(ranks, region, inputs, cotangents)
    there = sum((a * b).sum() for a, b in zip(cotangents, outputs, strict=True))
    back = sum((a * b).sum() for a, b in zip(inputs, grads, strict=True))
    # a replicated value was counted once a rank on its side
    there, back = (there / ranks, back) if region is reduce_from_region else (there, back)
    back = back / ranks if region is copy_to_region else back
    assert torch.allclose(there, back, rtol=1e-12)


def test_what_cannot_be_cut_is_told():
    with pytest.raises(ValueError, match="A sequence of 7 cannot be cut evenly for 2 ranks: give a multiple of 2"):
        run_ranks(2, lambda comm: reduce_scatter_to_sequence_region(torch.zeros(1, 7, 2), comm))
    with pytest.raises(ValueError, match="An output of 2 cannot be cut for 3 ranks: use at most 2 ranks"):
        run_ranks(3, lambda comm: shares(2, comm, "An output"))
