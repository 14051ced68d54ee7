"""Moves of elements against torch: reshapes, permutations, repetitions, joins and cuts, and axes that do not exist."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same, same_all

CASES = Table()


@CASES.of(ad.reshape)
def reshape(rng):
    x = draws.normal(rng, draws.shape(rng, 1))
    flat = x.size
    shape = [(flat,), (-1,), (1, flat, 1), (x.shape[-1], -1), -1][rng.integers(5)]
    return Trial(
        [x], lambda t: ad.reshape(t, shape) * 2, lambda t: torch.reshape(t, np.empty(flat).reshape(shape).shape) * 2
    )


@CASES.of(ad.reshape)
def reshape_to_a_number_and_back(rng):
    x = draws.normal(rng, (1, 1))
    return Trial([x], lambda t: t.reshape(()) * t.reshape(1), lambda t: t.reshape(()) * t.reshape(1))


@CASES.of(ad.transpose)
def transpose(rng):
    x = draws.normal(rng, draws.shape(rng))
    axes = tuple(int(i) - x.ndim * int(rng.integers(2)) for i in rng.permutation(x.ndim))
    return Trial([x], lambda t: ad.transpose(t, axes), lambda t: t.permute(axes))


@CASES.of(ad.transpose)
def transpose_of_all_axes(rng):
    x = draws.normal(rng, draws.shape(rng))
    return Trial([x], lambda t: (t.T * 3).transpose(), lambda t: t * 3)


@CASES.of(ad.swapaxes)
def swapaxes(rng):
    x = draws.normal(rng, draws.shape(rng, 1))
    a, b = (int(i) for i in rng.integers(-x.ndim, x.ndim, 2))
    return Trial([x], lambda t: ad.swapaxes(t, a, b), lambda t: t.swapaxes(a, b))


@CASES.of(ad.broadcast_to)
def broadcast_to(rng):
    full = draws.shape(rng)
    x = draws.normal(rng, draws.narrowed(rng, full))
    return Trial([x], lambda t: ad.broadcast_to(t, full), lambda t: torch.broadcast_to(t, full))


@CASES.of(ad.broadcast_to)
def broadcast_to_and_times_itself(rng):
    full = draws.shape(rng, 2)
    x = draws.normal(rng, draws.narrowed(rng, full))
    return Trial([x], lambda t: ad.broadcast_to(t, full) * t, lambda t: torch.broadcast_to(t, full) * t)


def _parts(rng):
    """Arrays that differ in length along one axis, and that axis from either end."""
    shape = draws.shape(rng, 1)
    axis = int(rng.integers(-len(shape), len(shape)))
    lengths = rng.integers(0, 4, 3)
    at = axis % len(shape)
    return [draws.normal(rng, (*shape[:at], n, *shape[at + 1 :])) for n in lengths], axis


@CASES.of(ad.concatenate)
def concatenate(rng):
    parts, axis = _parts(rng)
    return Trial(parts, lambda *ts: ad.concatenate(ts, axis), lambda *ts: torch.cat(ts, axis))


@CASES.of(ad.concatenate)
def concatenate_one_part_twice_beside_a_constant(rng):
    parts, axis = _parts(rng)
    fixed = parts.pop()
    return Trial(
        parts,
        lambda a, b: ad.concatenate([a, fixed, b, a * b.sum()], axis),
        lambda a, b: torch.cat([a, torch.tensor(fixed.copy()), b, a * b.sum()], axis),
    )


@CASES.of(ad.stack)
def stack(rng):
    shape = draws.shape(rng)
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    inputs = [draws.normal(rng, shape) for _ in range(2)]
    return Trial(inputs, lambda a, b: ad.stack([a, b, a], axis), lambda a, b: torch.stack([a, b, a], axis))


@CASES.of(ad.split)
def split_in_equal_parts(rng):
    x = draws.normal(rng, (3, 6, 2))
    sections = int(rng.choice([1, 2, 3, 6]))
    return Trial([x], lambda t: ad.split(t, sections, -2), lambda t: torch.tensor_split(t, sections, 1))


@CASES.of(ad.split)
def split_at_positions(rng):
    x = draws.normal(rng, (3, 5))
    cuts = sorted(int(i) for i in rng.integers(0, 7, 3))
    return Trial([x], lambda t: ad.split(t, cuts, 1), lambda t: torch.tensor_split(t, cuts, 1))


@CASES.of(ad.split)
def split_and_use_some(rng):
    x = draws.normal(rng, (6, 3))
    return Trial(
        [x],
        lambda t: ad.split(t, 3)[2] * ad.split(t, 3)[0],
        lambda t: torch.tensor_split(t, 3)[2] * torch.tensor_split(t, 3)[0],
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("shape", draws.EDGES, ids=str)
def test_it_agrees_for_nothing_and_for_one_number(shape):
    rng = np.random.default_rng(0)
    x = draws.normal(rng, shape)
    wide = (2, *shape)
    hold(Trial([x], lambda t: ad.reshape(t, (*shape, 1)), lambda t: t.reshape(*shape, 1)), rng)
    hold(Trial([x], ad.transpose, lambda t: t.permute(tuple(reversed(range(t.ndim))))), rng)
    hold(Trial([x], lambda t: ad.broadcast_to(t, wide), lambda t: torch.broadcast_to(t, wide)), rng)
    hold(Trial([x, x], lambda a, b: ad.stack([a, b], -1), lambda a, b: torch.stack([a, b], -1)), rng)


def test_parts_of_nothing_are_nothing():
    trial = Trial([np.ones((2, 0))], lambda t: ad.split(t, 3, 1), lambda t: torch.tensor_split(t, 3, 1))
    hold(trial, np.random.default_rng(0))


def test_lengths_and_axes_may_come_one_by_one():
    x = Tensor(np.arange(24.0).reshape(2, 3, 4))
    same("reshape", x.reshape(4, 6), x.numpy().reshape(4, 6))
    same("transpose", x.transpose(2, 0, 1), x.numpy().transpose(2, 0, 1))
    same("swapaxes", x.swapaxes(0, -1), x.numpy().swapaxes(0, -1))
    same("T", x.T, x.numpy().T)


@pytest.mark.parametrize(
    "move",
    [
        lambda x: ad.transpose(x, (0, 3)),
        lambda x: ad.transpose(x, (0,)),
        lambda x: ad.transpose(x, (0, 0)),
        lambda x: ad.swapaxes(x, 0, 2),
        lambda x: ad.stack([x, x], 3),
        lambda x: ad.stack([x, x], -4),
        lambda x: ad.concatenate([x, x], 2),
        lambda x: ad.reshape(x, (4, 2)),
        lambda x: ad.broadcast_to(x, (2, 4)),
        lambda x: ad.concatenate([x, x.T], 0),
        lambda x: ad.stack([x, x.T]),
    ],
)
def test_an_axis_or_a_shape_that_does_not_fit_is_refused(move):
    with pytest.raises(ValueError):
        move(Tensor(np.ones((2, 3)), requires_grad=True))


def test_parts_that_cannot_be_equal_are_refused():
    with pytest.raises(ValueError, match="length 7 cannot be cut into 2 equal parts"):
        ad.split(Tensor(np.ones((3, 7))), 2, 1)


def test_gradients_of_views_do_not_change_when_another_does():
    x, y = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones((3, 2)), requires_grad=True)
    (x.T + y + x.reshape(3, 2)).backward(np.ones((3, 2)))
    y.grad.numpy()[...] = 7.0
    same_all("gradient", [x.grad, y.grad], [np.full((2, 3), 2.0), np.full((3, 2), 7.0)])
