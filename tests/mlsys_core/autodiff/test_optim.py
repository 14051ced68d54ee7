"""Optimisers against torch.optim, step by step: changing rates, decay, gradients that are missing, and clipping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, optim
from tests.mlsys_core.autodiff.against_torch import SEEDS, in_torch, same, same_all

SHAPES = ((3, 4), (5,), (), (2, 0), (1, 1, 2))
SETTINGS = {
    "SGD": (optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    "SGD with momentum": (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "SGD with decay": (optim.SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.3}),
    "SGD with both": (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.3}),
    "Adam": (optim.Adam, torch.optim.Adam, {}),
    "Adam with other constants": (optim.Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.1}),
    "Adam without memory": (optim.Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.0, 0.0)}),
    "Adam with decay": (optim.Adam, torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.3}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.3, "betas": (0.8, 0.9)}),
    "AdamW without decay": (optim.AdamW, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.0}),
}


def drawn(rng: np.random.Generator) -> list[np.ndarray]:
    """An array of each shape."""
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


def leaves(arrays: list[np.ndarray]) -> tuple[list[Tensor], list[torch.Tensor]]:
    """Parameters of both worlds."""
    return [Tensor(x.copy(), requires_grad=True) for x in arrays], [in_torch(x, wanted=True) for x in arrays]


def give(ours: list[Tensor], theirs: list[torch.Tensor], gradients: list[np.ndarray | None]) -> None:
    """Hands gradients, of which some are missing, to the parameters of both worlds."""
    for mine, other, g in zip(ours, theirs, gradients, strict=True):
        mine.grad = None if g is None else Tensor(g.copy())
        other.grad = None if g is None else in_torch(g)


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize("name", SETTINGS)
def test_every_step_is_torchs(name, seed):
    rng = np.random.default_rng(seed)
    make, make_theirs, settings = SETTINGS[name]
    ours, theirs = leaves(drawn(rng))
    mine, other = make(iter(ours), **settings), make_theirs(theirs, **settings)
    for step in range(8):
        give(ours, theirs, drawn(rng))
        mine.step()
        other.step()
        same_all(f"step {step}: parameter", ours, theirs)


@pytest.mark.parametrize("name", SETTINGS)
def test_rates_may_change_and_gradients_may_be_missing(name):
    rng = np.random.default_rng(7)
    make, make_theirs, settings = SETTINGS[name]
    ours, theirs = leaves(drawn(rng))
    mine, other = make(ours, **settings), make_theirs(theirs, **settings)
    for step in range(12):
        mine.lr = other.param_groups[0]["lr"] = 0.2 * 0.9**step
        # the first parameter joins late, others pause
        give(
            ours, theirs, [g if step > 3 * (i == 0) and rng.random() < 0.7 else None for i, g in enumerate(drawn(rng))]
        )
        mine.step()
        other.step()
        same_all(f"step {step}: parameter", ours, theirs)


@pytest.mark.parametrize("name", SETTINGS)
def test_steps_are_in_place_and_keep_float32(name):
    make, _, settings = SETTINGS[name]
    parameter = Tensor(np.ones(3, np.float32), requires_grad=True)
    data, gradient = parameter.numpy(), np.array([0.5, -1.0, 2.0], np.float32)
    optimizer = make([parameter], **settings)
    for _ in range(3):
        parameter.grad = Tensor(gradient.copy())
        optimizer.step()
    assert parameter.numpy() is data
    assert data.dtype == np.float32
    assert np.array_equal(parameter.grad.numpy(), gradient)
    assert (np.sign(1 - data) == np.sign(gradient)).all() or settings.get("weight_decay")


@pytest.mark.parametrize("name", SETTINGS)
def test_it_descends(name):
    make, _, settings = SETTINGS[name]
    x = Tensor(np.array([1.0, -2.0]), requires_grad=True)
    optimizer = make([x], **(settings | {"lr": 0.02}))
    values = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = ((x - 0.1) * (x - 0.1)).sum()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.9 * values[0]


def test_momentum_does_not_keep_the_array_of_the_first_gradient():
    x = Tensor(np.zeros(2), requires_grad=True)
    optimizer = optim.SGD([x], 1.0, momentum=0.5)
    x.grad = Tensor(np.ones(2))
    optimizer.step()
    x.grad.numpy()[...] = 0.0
    optimizer.step()
    same("parameter", x, np.full(2, -1.5))


def test_gradients_are_forgotten():
    x = Tensor(np.ones(2), requires_grad=True)
    optimizer = optim.Optimizer([x], 0.1)
    x.sum().backward()
    optimizer.zero_grad()
    assert x.grad is None
    optimizer.step()


def test_an_optimizer_without_a_rule_says_so():
    x = Tensor(np.ones(2), requires_grad=True)
    x.sum().backward()
    with pytest.raises(NotImplementedError, match="Optimizer does not say how a parameter moves"):
        optim.Optimizer([x], 0.1).step()


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("limit", [0.01, 1.0, 100.0])
def test_clipping_is_torchs(limit, seed):
    rng = np.random.default_rng(seed)
    ours, theirs = leaves(drawn(rng))
    give(ours, theirs, [None if i == 1 else g for i, g in enumerate(drawn(rng))])
    norm = optim.clip_grad_norm(iter(ours), limit)
    want = torch.nn.utils.clip_grad_norm_(theirs, limit)
    same("norm", np.array(norm), want)
    kept = [i for i in range(len(ours)) if i != 1]
    same_all("gradient", [ours[i].grad for i in kept], [theirs[i].grad for i in kept])
    assert ours[1].grad is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clipping_by_a_norm_that_is_not_finite_is_torchs(bad):
    ours, theirs = leaves([np.ones(3), np.ones(2)])
    give(ours, theirs, [np.array([1.0, bad, 2.0]), np.array([3.0, 4.0])])
    with np.errstate(invalid="ignore"):
        norm = optim.clip_grad_norm(ours, 1.0)
    want = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    np.testing.assert_array_equal(norm, want.item())
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.grad.data, other.grad.numpy())


def test_gradients_within_the_limit_stay_to_the_bit():
    x = Tensor(np.zeros(2), requires_grad=True)
    x.grad = Tensor(np.array([3.0, 4.0]))
    assert optim.clip_grad_norm([x], 5.0) == 5.0
    assert np.array_equal(x.grad.numpy(), [3.0, 4.0])
    assert optim.clip_grad_norm([], 1.0) == 0.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_that_were_one_share_are_clipped_once(create_graph):
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    (a + b).backward(np.ones(2), create_graph=create_graph)
    assert optim.clip_grad_norm([a, b], 1.0) == 2.0
    same_all("gradient", [a.grad, b.grad], [np.full(2, 0.5 / (1 + 0.5e-6))] * 2)


def test_a_step_is_no_part_of_any_graph():
    x = Tensor(np.ones(2), requires_grad=True)
    ad.exp(x).sum().backward(create_graph=True)
    optim.Adam([x]).step()
    assert x.is_leaf
