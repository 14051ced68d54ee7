"""Layouts of a feed-forward layer: the dense result, the bytes of the formulas, and which one is best when."""

from __future__ import annotations

from math import prod, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.papers import efficient_inference as paper
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.serving.layouts import (
    LAYOUTS,
    axes_mesh,
    best_layout,
    crossovers,
    feed_forward_floor,
    shard_activations,
    shard_weights,
    weight_gathered,
    weight_gathered_cost,
    weight_stationary,
    weight_stationary_cost,
)
from mlsys_core.workloads.devices import TPU_V4

GATHERED = (("x",), ("x", "y"), ("x", "y", "z"))
SHAPES = ((1, 1, 4), (4, 1, 1), (2, 1, 2), (2, 2, 2), (2, 3, 1), (1, 2, 3), (1, 1, 1))


def drawn(tokens, embed, wide, seed):
    draws = torch.Generator().manual_seed(seed)
    shapes = ((tokens, embed), (embed, wide), (wide, embed))
    return [torch.randn(shape, generator=draws, dtype=torch.float64) / 4 for shape in shapes]


def dense(x, w_in, w_out):
    return torch.einsum("tf,fe->te", torch.nn.functional.gelu(torch.einsum("te,ef->tf", x, w_in)), w_out)


def run(layout, shape, x, w_in, w_out):
    """The whole result, joined as the activations were cut; and the bytes that each rank sent."""
    gathered = None if layout == "stationary" else layout

    def program(comm):
        own = shard_activations(x, shape, comm.rank, gathered)
        blocks = shard_weights(w_in, w_out, shape, comm.rank)
        if gathered is None:
            return weight_stationary(own, *blocks, comm, shape)
        return weight_gathered(own, *blocks, comm, shape, axes=gathered)

    parts, log = run_ranks(prod(shape), program)
    places = torch.arange(x.numel()).view(x.shape)
    whole = torch.full((x.numel(),), torch.nan, dtype=x.dtype)
    for rank, part in enumerate(parts):
        whole[shard_activations(places, shape, rank, gathered).flatten()] = part.flatten()
    return whole.view(x.shape), [log.sent_bytes(rank) for rank in range(len(parts))]


@pytest.mark.parametrize("layout", ["stationary", *GATHERED], ids="".join)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layout_gives_the_dense_result_and_sends_what_its_formula_says(layout, shape, held):
    chips = prod(shape)
    tokens, embed, wide = 2 * chips, 3 * chips, 5 * chips
    arrays = drawn(tokens, embed, wide, chips)
    found, sent = run(layout, shape, *arrays)
    held(
        f"layouts: {'weights stay' if layout == 'stationary' else 'weights travel'}",
        "einsum",
        found,
        dense(*arrays),
        1e-12,
    )
    if layout == "stationary":
        expected = weight_stationary_cost(tokens, embed, wide, shape)
    else:
        expected = weight_gathered_cost(tokens, embed, wide, shape, layout)
    assert sent == [8 * expected] * chips


def test_every_chip_holds_an_nth_and_together_they_hold_all():
    shape = (2, 2, 3)
    x, w_in, w_out = drawn(24, 12, 24, 0)
    for gathered in (None, *GATHERED):
        parts = [shard_activations(x, shape, rank, gathered) for rank in range(12)]
        assert sorted(torch.cat([part.flatten() for part in parts]).tolist()) == sorted(x.flatten().tolist())
        assert {part.numel() for part in parts} == {x.numel() // 12}
    blocks = [shard_weights(w_in, w_out, shape, rank) for rank in range(12)]
    for i, whole in enumerate((w_in, w_out)):
        assert sorted(torch.cat([b[i].flatten() for b in blocks]).tolist()) == sorted(whole.flatten().tolist())


def test_formulas_of_the_paper_are_those_of_many_chips():
    """2 T E, 8 T E/√n and 4 E √(T F/n) leave out that a chip does not send to itself."""
    tokens, embed, wide = 4096, 1 << 14, 1 << 16
    n = 4096
    assert weight_stationary_cost(tokens, embed, wide, (1, 1, n)) == pytest.approx(
        paper.weight_stationary_1d(tokens, embed), rel=1e-3
    )
    best = min(weight_stationary_cost(tokens, embed, wide, (x, 1, n // x)) for x in (2**k for k in range(13)))
    assert best == pytest.approx(paper.weight_stationary_2d(tokens, embed, n), rel=0.05)
    assert weight_stationary_cost(tokens, embed, wide, (int(sqrt(n) / 2), 1, int(2 * sqrt(n)))) == best
    tokens = 1 << 20
    best = min(weight_gathered_cost(tokens, embed, wide, (x, n // x, 1), ("x",)) for x in (2**k for k in range(13)))
    assert best == pytest.approx(paper.weight_gathered(tokens, embed, wide, n), rel=0.05)


def test_more_tokens_move_the_choice_toward_weights_as_in_the_figure():
    """Figure 3: width 16,384, inner width 65,536, 4 × 4 × 4 chips: 2D, then weights gathered over X, XY, XYZ."""
    found = crossovers(16_384, 65_536, (4, 4, 4))
    assert [name for _, name in found] == [
        "2D weight-stationary",
        "X weight-gathered",
        "XY weight-gathered",
        "XYZ weight-gathered",
    ]
    assert [tokens for tokens, _ in found] == sorted({tokens for tokens, _ in found})
    for tokens, name in found[1:]:
        costs = [LAYOUTS[name].cost(t, 16_384, 65_536, (4, 4, 4)) for t in (tokens - 1, tokens)]
        before = [
            min(layout.cost(t, 16_384, 65_536, (4, 4, 4)) for layout in LAYOUTS.values()) for t in (tokens - 1, tokens)
        ]
        assert costs[0] >= before[0]
        assert costs[1] == before[1]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([(2, 2, 2), (4, 4, 4), (8, 2, 1), (1, 4, 4)]), st.integers(1, 40), st.integers(1, 120))
def test_the_best_of_all_numbers_of_tokens_follows_from_the_crossovers(shape, embed, wide):
    embed, wide = 64 * embed, 64 * wide
    found = crossovers(embed, wide, shape, most=5000)
    for tokens in range(1, 5001, 37):
        least = min(layout.cost(tokens, embed, wide, shape) for layout in LAYOUTS.values())
        name = [name for start, name in found if start <= tokens][-1]
        assert LAYOUTS[name].cost(tokens, embed, wide, shape) <= least * (1 + 1e-9)


def test_the_floor_of_a_step_is_reading_and_of_a_long_prompt_arithmetic():
    few = feed_forward_floor("2D weight-stationary", 1, 18_432, 73_728, (4, 4, 4), device=TPU_V4)
    many = feed_forward_floor("XYZ weight-gathered", 1 << 20, 18_432, 73_728, (4, 4, 4), device=TPU_V4)
    assert few.bound == "memory"
    assert few.time_s == pytest.approx(2 * 2 * 18_432 * 73_728 / 64 / 1.2e12)
    assert many.bound == "compute"
    assert many.time_s == pytest.approx(4 * (1 << 20) * 18_432 * 73_728 / 64 / 275e12)
    assert many.memory_s == pytest.approx(64 * few.memory_s)
    assert best_layout(1, 18_432, 73_728, (4, 4, 4)) == "2D weight-stationary"


def test_what_cannot_be_cut_evenly_is_refused():
    x, w_in, w_out = drawn(4, 6, 8, 0)
    with pytest.raises(ValueError, match="6 rows of weights cannot be cut evenly into 4"):
        shard_weights(w_in, w_out, (4, 1, 1), 0)
    with pytest.raises(ValueError, match="6 columns cannot be cut evenly into 4"):
        shard_activations(x, (4, 1, 1), 0)
    with pytest.raises(ValueError, match="over x, over x and y, or over all"):
        run_ranks(2, lambda comm: weight_gathered(x, w_in, w_out, comm, (1, 2, 1), axes=("y",)))
    assert axes_mesh((2, 3, 4)).size == 24
