"""Magnitude is the best mask for the weights, Wanda for the outputs where inputs are uncorrelated: against every mask that there is."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from mlsys_core.compression.magnitude import global_magnitude_masks, magnitude_mask, random_mask
from mlsys_core.compression.masks import NM, PerRow, Unstructured
from mlsys_core.compression.wanda import wanda_mask, wanda_scores


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def uncorrelated(k: int, tokens: int, seed: int) -> torch.Tensor:
    """Inputs (k, tokens) of very different sizes, every two of them at right angles."""
    q, _ = torch.linalg.qr(drawn(tokens, k, seed=seed))
    return (
        q.T
        * torch.logspace(-2, 2, k, dtype=torch.float64)[
            torch.randperm(k, generator=torch.Generator().manual_seed(seed))
        ][:, None]
    )


def least_error(weight: torch.Tensor, x: torch.Tensor, stay: int) -> float:
    """Of all masks that keep `stay` of each row, by trying them."""
    total = 0.0
    for row in weight:
        errors = []
        for gone in combinations(range(len(row)), len(row) - stay):
            lost = torch.zeros_like(row)
            lost[list(gone)] = row[list(gone)]
            errors.append(float((lost @ x).square().sum()))
        total += min(errors)
    return total


@pytest.mark.parametrize("seed", range(3))
def test_no_mask_of_a_row_leaves_less_of_the_weights_out_than_magnitude(seed, held):
    weight = drawn(5, 8, seed=seed)
    mask = magnitude_mask(weight, PerRow(0.5))
    best = least_error(weight, torch.eye(8, dtype=torch.float64), 4)
    held("compression: magnitude", "every mask", [float((weight * ~mask).square().sum())], [best], 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_no_mask_changes_the_outputs_less_than_wanda_where_inputs_are_uncorrelated(seed, held):
    weight, x = drawn(5, 8, seed=seed), uncorrelated(8, 30, seed)
    mask = wanda_mask(weight, x @ x.T, PerRow(0.5))
    error = float(((weight * ~mask) @ x).square().sum())
    held("compression: Wanda", "every mask", [error], [least_error(weight, x, 4)], 1e-9)
    by_size = float(((weight * ~magnitude_mask(weight, PerRow(0.5))) @ x).square().sum())
    assert error < by_size


def test_wanda_in_groups_is_the_best_of_each_group(held):
    weight, x = drawn(3, 8, seed=7), uncorrelated(8, 20, 7)
    mask = wanda_mask(weight, x @ x.T, NM(2, 4))
    assert (mask.view(3, 2, 4).sum(-1) == 2).all()
    error = float(((weight * ~mask) @ x).square().sum())
    best = sum(least_error(weight[:, part], x[part], 2) for part in (slice(0, 4), slice(4, 8)))
    held("compression: Wanda", "every mask, 2:4", [error], [best], 1e-9)


def test_scores_are_sizes_times_norms_of_inputs_whatever_factor_the_moments_have():
    weight, x = drawn(4, 6, seed=3), drawn(6, 50, seed=4)
    scores = wanda_scores(weight, x @ x.T)
    by_hand = torch.tensor([[abs(float(w)) * float(x[j].norm()) for j, w in enumerate(row)] for row in weight])
    torch.testing.assert_close(scores, by_hand.double())
    assert torch.equal(wanda_mask(weight, x @ x.T * 2 / 50, PerRow(0.5)), wanda_mask(weight, x @ x.T, PerRow(0.5)))
    with pytest.raises(ValueError, match="have 6 inputs and the moments are"):
        wanda_scores(weight, x[:5] @ x[:5].T)


def test_layers_compete_as_one_where_the_share_is_of_the_model():
    weights = {"small": 0.1 * drawn(6, 7, seed=1), "large": drawn(5, 9, seed=2)}
    masks = global_magnitude_masks(weights, 0.4)
    gone = torch.cat([w[~masks[name]].abs() for name, w in weights.items()])
    stay = torch.cat([w[masks[name]].abs() for name, w in weights.items()])
    assert len(gone) == round(0.4 * 87)
    assert gone.max() <= stay.min()
    assert masks["small"].double().mean() < masks["large"].double().mean()


def test_chance_keeps_as_many_and_takes_no_heed_of_the_weights():
    weight = drawn(8, 40, seed=5)
    first, again, other = (
        random_mask(weight, Unstructured(0.5), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert int(first.sum()) == int(other.sum()) == 160
    assert torch.equal(first, random_mask(-3 * weight, Unstructured(0.5), torch.Generator().manual_seed(1)))
