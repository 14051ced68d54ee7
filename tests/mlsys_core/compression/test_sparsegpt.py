"""What SparseGPT leaves in place is what least squares gives: against torch's and numpy's lstsq on the inputs themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mlsys_core.compression.masks import NM, PerRow, Unstructured, is_n_of_m
from mlsys_core.compression.sparsegpt import solve_on_mask, sparsegpt, sparsegpt_cost, update_on_mask


def layer(n: int, k: int, seed: int, tokens: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (n, k) and correlated inputs (k, tokens)."""
    draws = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, k, dtype=torch.float64, generator=draws)
    mixed = torch.randn(k, k, dtype=torch.float64, generator=draws)
    return weight, mixed @ torch.randn(k, tokens, dtype=torch.float64, generator=draws)


def half_mask(n: int, k: int, seed: int) -> torch.Tensor:
    return PerRow(0.5).mask(torch.rand(n, k, generator=torch.Generator().manual_seed(seed)))


def error(weight: torch.Tensor, other: torch.Tensor, x: torch.Tensor) -> float:
    return float(((weight - other) @ x).square().sum())


@pytest.mark.parametrize("block", [3, 4, 128])
def test_where_the_left_goes_the_right_is_the_least_squares_solution(block, held):
    weight, x = layer(5, 11, seed=block)
    mask = torch.ones(5, 11, dtype=torch.bool)
    for row in range(5):
        mask[row, : row + 2] = False
    updated = update_on_mask(weight, x @ x.T, mask, block=block, damping=0)
    assert torch.equal(updated != 0, mask)
    for row in range(5):
        stays = mask[row]
        solved = np.linalg.lstsq(x[stays].T.numpy(), (weight[row] @ x).numpy(), rcond=None)[0]
        held("compression: SparseGPT update", "numpy lstsq on the mask", updated[row, stays], solved, 1e-11)


@pytest.mark.parametrize(("block", "seed"), [(1, 0), (4, 1), (5, 2), (64, 3)])
def test_on_any_mask_each_weight_is_least_squares_given_those_to_its_left(block, seed, held):
    weight, x = layer(4, 9, seed)
    mask = half_mask(4, 9, seed)
    updated = update_on_mask(weight, x @ x.T, mask, block=block, damping=0)
    for row in range(4):
        for j in range(9):
            missing = weight[row] @ x - updated[row, :j] @ x[:j]
            solved = torch.linalg.lstsq(x[j:].T, missing[:, None]).solution[0, 0]
            expected = float(solved) if mask[row, j] else 0.0
            held("compression: SparseGPT update", "torch lstsq, column by column", [updated[row, j]], [expected], 1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_the_exact_solution_on_a_mask_is_least_squares_and_bounds_the_update(seed, held):
    weight, x = layer(6, 10, seed)
    mask = half_mask(6, 10, seed)
    solved = solve_on_mask(weight, x @ x.T, mask)
    for row in range(6):
        stays = mask[row]
        expected = np.linalg.lstsq(x[stays].T.numpy(), (weight[row] @ x).numpy(), rcond=None)[0]
        held("compression: exact update", "numpy lstsq on the mask", solved[row, stays], expected, 1e-11)
    updated = update_on_mask(weight, x @ x.T, mask, damping=0)
    assert not solved[~mask].any()
    # the update may be worse than none here: it leans on weights that this mask, which nobody chose, takes away later
    assert error(weight, solved, x) < min(error(weight, updated, x), error(weight, weight * mask, x))


def test_the_error_of_the_best_replacement_is_the_brain_surgeons():
    """Least squares after one weight has gone leaves w² / [H⁻¹]_jj."""
    weight, x = layer(1, 6, seed=9)
    h = x @ x.T
    scores = weight[0].square() / torch.linalg.inv(h).diagonal()
    errors = [error(weight, solve_on_mask(weight, h, torch.arange(6)[None] != gone), x) for gone in range(6)]
    torch.testing.assert_close(torch.tensor(errors, dtype=torch.float64), scores, rtol=1e-8, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_weight_that_goes_is_the_one_whose_right_can_make_good_for_most(seed):
    """Every weight of every row is taken out once, with numpy's least squares over those to its right: the least error names the one."""
    weight, x = layer(12, 6, seed)
    _, mask = sparsegpt(weight, x @ x.T, PerRow(1 / 6), damping=0)
    for row in range(12):
        errors = []
        for j in range(6):
            lost = (weight[row, j] * x[j]).numpy()
            right = x[j + 1 :].T.numpy()
            errors.append(((lost - right @ np.linalg.lstsq(right, lost, rcond=None)[0]) ** 2).sum())
        assert (~mask[row]).nonzero().flatten().tolist() == [int(np.argmin(errors))]


@pytest.mark.parametrize("pattern", [NM(2, 4), NM(4, 8), NM(1, 4)])
def test_groups_are_exact_and_the_update_is_that_of_the_chosen_mask(pattern):
    weight, x = layer(7, 24, seed=5)
    pruned, mask = sparsegpt(weight, x @ x.T, pattern, block=8)
    assert (mask.unflatten(1, (-1, pattern.of)).sum(-1) == pattern.kept).all()
    assert is_n_of_m(pruned, pattern)
    assert torch.equal(pruned, update_on_mask(weight, x @ x.T, mask, block=8))


@pytest.mark.parametrize("pattern", [Unstructured(0.5), PerRow(0.5), NM(2, 4)])
def test_it_changes_the_outputs_less_than_the_same_mask_and_than_its_rivals(pattern):
    weight, x = layer(16, 32, seed=2, tokens=200)
    pruned, mask = sparsegpt(weight, x @ x.T, pattern, block=16)
    found = error(weight, pruned, x)
    assert found < error(weight, weight * mask, x)
    assert found < error(weight, weight * pattern.mask(weight.abs()), x)
    assert float((pruned == 0).double().mean()) == 0.5


def test_the_size_of_a_block_does_not_change_what_groups_get():
    weight, x = layer(6, 20, seed=8)
    results = [sparsegpt(weight, x @ x.T, NM(2, 4), block=block) for block in (4, 8, 20, 128)]
    for pruned, mask in results[1:]:
        assert torch.equal(mask, results[0][1])
        torch.testing.assert_close(pruned, results[0][0], rtol=1e-10, atol=1e-10)


def test_the_scale_of_the_moments_does_not_matter_and_types_are_kept():
    weight, x = layer(5, 12, seed=4)
    once, _ = sparsegpt(weight, x @ x.T, PerRow(0.5))
    again, _ = sparsegpt(weight, 37 * (x @ x.T), PerRow(0.5))
    torch.testing.assert_close(once, again)
    half, _ = sparsegpt(weight.half(), (x @ x.T).float(), PerRow(0.5))
    assert half.dtype == torch.float16


def test_inputs_that_never_come_cost_nothing_and_dependent_ones_need_damping():
    weight, x = layer(4, 8, seed=6)
    x[3] = 0
    without = [j for j in range(8) if j != 3]
    pruned, mask = sparsegpt(weight, 1e-6 * (x @ x.T), PerRow(0.5))
    fewer, others = sparsegpt(weight[:, without], x[without] @ x[without].T, PerRow(3 / 7))
    assert torch.equal(mask[:, without], others), "the one that nobody hears goes first"
    torch.testing.assert_close(pruned[:, without], fewer)
    assert not pruned[:, 3].any()
    assert not sparsegpt(weight, torch.zeros(8, 8), PerRow(0.5))[0].any()
    kept = torch.ones(4, 8, dtype=torch.bool)
    kept[:, 3] = False
    moved = update_on_mask(weight, x @ x.T, kept, damping=0)
    torch.testing.assert_close(moved[:, without], weight[:, without])
    x[3] = x[1] - x[2]
    thin = x[:, :5]
    with pytest.raises(ValueError, match="more damping"):
        update_on_mask(weight, thin @ thin.T - 1e-6 * torch.eye(8, dtype=torch.float64), kept, damping=0)
    assert sparsegpt(weight, thin @ thin.T, PerRow(0.5), damping=0.01)[0].isfinite().all()


def test_blocks_that_cut_groups_and_moments_of_another_layer_are_told():
    weight, x = layer(4, 8, seed=6)
    with pytest.raises(ValueError, match="do not divide blocks of 6"):
        sparsegpt(weight, x @ x.T, NM(2, 4), block=6)
    with pytest.raises(ValueError, match="rows of 8"):
        sparsegpt(weight, x @ x.T, NM(2, 3), block=6)
    with pytest.raises(ValueError, match="blocks of 0"):
        sparsegpt(weight, x @ x.T, NM(2, 4), block=0)
    with pytest.raises(ValueError, match="have 8 inputs and the moments are"):
        sparsegpt(weight, x[:5] @ x[:5].T, PerRow(0.5))


def test_the_cost_counts_what_is_moved():
    """With blocks of one column all but the column itself is moved by products, which torch counts."""
    weight, x = layer(5, 12, seed=1)
    h = x @ x.T
    with FlopCounterMode(display=False) as counter:
        update_on_mask(weight, h, half_mask(5, 12, 1), block=1)
    products = counter.get_flop_counts()["Global"][torch.ops.aten.mm]
    assert sparsegpt_cost(5, 12) == 4 * 12**3 // 3 + products + 2 * 5 * 12
