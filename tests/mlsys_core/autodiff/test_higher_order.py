"""Derivatives of derivatives against torch.autograd.functional and torch.func: both sweeps in every composition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff.against_torch import SEEDS, in_torch, same, same_all, tupled
from tests.mlsys_core.autodiff.test_attention import torchs

SHAPE = (3, 4)
FIXED = np.random.default_rng(99).standard_normal((4, 2))
LABELS = np.array([1, 0, 1])


def theirs_of_rows(x: torch.Tensor) -> torch.Tensor:
    """A small network in torch: normalisation, attention, GELU, affine map, cross-entropy."""
    # torch 2.13's own layer_norm has wrong third derivatives, so it is written out
    y = x - x.mean(-1, keepdim=True)
    y = y / torch.sqrt((y * y).mean(-1, keepdim=True) + 1e-3)
    y = x + torchs(y, y, y, causal=True)
    return F.cross_entropy(F.gelu(y, approximate="tanh") @ torch.tensor(FIXED), torch.tensor(LABELS))


def ours_of_rows(x: Tensor) -> Tensor:
    """The same network."""
    y = ad.layer_norm(x, eps=1e-3)
    y = x + ad.attention(y, y, y, causal=True)
    return ad.cross_entropy(ad.gelu(y) @ FIXED, LABELS)


# each gives one number for a (3, 4) array: ours, torch's
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "rosenbrock": ((_rosen := lambda x: ((x[1:] - x[:-1] ** 2) ** 2 * 100 + (1 - x[:-1]) ** 2).sum()), _rosen),
    "products": ((_products := lambda x: (x[0] * x[1] * x[2] / (x[0] ** 2 + 1)).sum() ** 2), _products),
    "logsumexp": (
        lambda x: ad.logsumexp(x @ x.T, -1).sum() * ad.mean(x),
        lambda x: torch.logsumexp(x @ x.T, -1).sum() * torch.mean(x),
    ),
    "softmax": (
        lambda x: (ad.softmax(x) * ad.log_softmax(x, 0) * ad.sigmoid(x)).sum(),
        lambda x: (torch.softmax(x, -1) * torch.log_softmax(x, 0) * torch.sigmoid(x)).sum(),
    ),
    "gathers": (
        lambda x: (ad.take(x, [0, 2, 0]) * ad.sin(x) * ad.silu(x[:, [3, 3, 1, 0]])).sum(),
        lambda x: (x[[0, 2, 0]] * torch.sin(x) * F.silu(x[:, [3, 3, 1, 0]])).sum(),
    ),
    "einsum": (
        lambda x: ad.einsum("ij,kj,kl->il", x, ad.tanh(x), x).max(),
        lambda x: torch.einsum("ij,kj,kl->il", x, torch.tanh(x), x).amax(),
    ),
    "norms": (
        lambda x: (ad.rms_norm(x) * ad.exp(x) + ad.sqrt(x * x + 1)).sum(),
        lambda x: (F.rms_norm(x, (4,), eps=1e-6) * torch.exp(x) + torch.sqrt(x * x + 1)).sum(),
    ),
    "network": (ours_of_rows, theirs_of_rows),
}


def drawn(seed: int, n: int = 2) -> list[np.ndarray]:
    """Arrays to differentiate at and along."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(SHAPE) for _ in range(n)]


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_hessian_products_agree_with_each_other_and_with_torch(name, seed):
    x, v = drawn(seed)
    ours, theirs = FUNCTIONS[name]
    want = torch.autograd.functional.hvp(theirs, in_torch(x), in_torch(v))[1]
    same("forward over reverse", ad.hvp(ours, x, v), want)
    same("reverse over reverse", ad.vhp(ours, x, v), want)
    same(
        "forward over reverse in torch",
        torch.func.jvp(torch.func.grad(theirs), (in_torch(x),), (in_torch(v),))[1],
        want,
    )


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_hessian_products_by_the_other_compositions_agree_too(name, seed):
    x, v = drawn(seed)
    ours, theirs = FUNCTIONS[name]
    want = torch.autograd.functional.hvp(theirs, in_torch(x), in_torch(v))[1]
    leaf = Tensor(x, requires_grad=True)
    slope = ad.jvp(ours, (leaf,), (v,))[1]
    same("reverse over forward", ad.grad(slope, leaf), want)

    def pulled(t):
        return ad.vjp(ours, t)[1](np.ones(()))[0]

    same("forward over a pullback", ad.jvp(pulled, (x,), (v,))[1], want)
    same("pullback of a pullback", ad.vjp(pulled, x)[1](v)[0], want)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_hessian_is_torchs_and_symmetric(name):
    (x,) = drawn(7, 1)
    ours, theirs = FUNCTIONS[name]
    columns = [ad.hvp(ours, x, e.reshape(SHAPE)).numpy().ravel() for e in np.eye(12)]
    hessian = np.stack(columns, axis=1)
    same("hessian", hessian, torch.func.hessian(theirs)(in_torch(x)).reshape(12, 12))
    same("transpose", hessian.T, hessian)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_third_derivatives_are_torchs(name):
    x, v, w = drawn(11, 3)
    ours, theirs = FUNCTIONS[name]
    leaf, other = Tensor(x, requires_grad=True), in_torch(x, wanted=True)
    (first,) = torch.autograd.grad(theirs(other), other, create_graph=True)
    (second,) = torch.autograd.grad((first * in_torch(v)).sum(), other, create_graph=True)
    (want,) = torch.autograd.grad((second * in_torch(w)).sum(), other)
    mine = ad.grad(ours(leaf), leaf, create_graph=True)
    mine = ad.grad(mine, leaf, v, create_graph=True)
    same("by three reverse sweeps", ad.grad(mine, leaf, w), want, 1e-8)
    same("reverse over a hessian product", ad.grad(ad.hvp(ours, leaf, v), leaf, w), want, 1e-8)
    same("forward over a hessian product", ad.jvp(lambda t: ad.hvp(ours, t, v), (x,), (w,))[1], want, 1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_directional_derivatives_by_two_forward_sweeps_are_torchs(name):
    x, v, w = drawn(13, 3)
    ours, theirs = FUNCTIONS[name]

    def twice(jvp, f, x, v, w):
        return jvp(lambda t: jvp(f, (t,), (v,))[1], (x,), (w,))[1]

    same("moved", twice(ad.jvp, ours, x, v, w), twice(torch.func.jvp, theirs, *map(in_torch, (x, v, w))))


@pytest.mark.parametrize("order", range(1, 7))
def test_derivatives_of_every_order_have_their_closed_forms(order):
    x = Tensor(0.7, requires_grad=True)
    wave, power = ad.sin(x), x**5
    for _ in range(order):
        wave, power = ad.grad(wave, x, create_graph=True), ad.grad(power, x, create_graph=True)
    same("sine", wave, np.array(math.sin(0.7 + order * math.pi / 2)))
    same("power", power, np.array(math.perm(5, order) * 0.7 ** (5 - order) if order <= 5 else 0.0))


def two_outputs(library):
    """A function of two arrays with two results, in either library."""
    return lambda a, b: (library.tanh(a @ b), (a * a).sum(0) * library.exp(b[:, 0]))


@pytest.mark.parametrize("seed", SEEDS)
def test_vjp_and_jvp_of_several_inputs_and_outputs_are_torchs(seed):
    rng = np.random.default_rng(seed)
    a, b, va, vb, u0, u1 = (rng.standard_normal(s) for s in ((3, 4), (4, 2), (3, 4), (4, 2), (3, 2), (4,)))
    ours, pull = ad.vjp(two_outputs(ad), a, b)
    theirs, pull_theirs = torch.func.vjp(two_outputs(torch), in_torch(a), in_torch(b))
    same_all("value", ours, theirs)
    same_all("pulled", pull(u0, u1), pull_theirs((in_torch(u0), in_torch(u1))))
    values, moved = ad.jvp(two_outputs(ad), (a, b), (va, vb))
    want = torch.func.jvp(two_outputs(torch), (in_torch(a), in_torch(b)), (in_torch(va), in_torch(vb)))[1]
    same_all("value", values, theirs)
    same_all("moved", moved, want)
    dots = [
        sum((x * y).sum() for x, y in zip(tupled(p), q, strict=True))
        for p, q in ((moved, (u0, u1)), (pull(u0, u1), (va, vb)))
    ]
    same("u · (J v) against (uᵀ J) · v", dots[0].sum(), dots[1].numpy())


def test_mixed_partials_are_symmetric_and_torchs():
    rng = np.random.default_rng(3)
    arrays = rng.standard_normal((3,)), rng.standard_normal((2, 3))

    def f(library, x, y):
        return (library.sin(x * y) * y / (x * x + 1)).sum() + library.logsumexp(y @ x, 0)

    x, y = (Tensor(a, requires_grad=True) for a in arrays)
    slopes = ad.grad(f(ad, x, y), (x, y), create_graph=True)
    xy = np.stack([ad.grad(slopes[0][i], y).numpy().ravel() for i in range(3)])
    yx = np.stack([ad.grad(slopes[1][i, j], x).numpy() for i in range(2) for j in range(3)])
    same("symmetry", xy, yx.T)
    want = torch.func.hessian(lambda x, y: f(torch, x, y), argnums=(0, 1))(*map(in_torch, arrays))
    same("torch", xy, want[0][1].reshape(3, 6))


def test_perturbations_of_two_levels_are_not_confused():
    # d/dx (x · d/dy (x + y)) = 1 at any x; 2 when the inner level moves the outer variable
    def outer(inner):
        return lambda x: x * inner(lambda y: x + y, Tensor(1.0))

    def forward(f, x):
        return ad.jvp(f, (x,), (1.0,))[1]

    def reverse(f, x):
        return ad.vjp(f, x)[1](1.0)[0]

    for level in (forward, reverse):
        for inner in (forward, reverse):
            assert level(outer(inner), Tensor(3.0)).item() == 1.0
            assert level(lambda x, inner=inner: x * inner(lambda y: x * y, x), Tensor(3.0)).item() == 6.0


def test_a_pullback_is_linear_and_its_derivative_in_the_cotangent_is_the_tangent_map():
    x, v = drawn(5)
    u = Tensor(np.ones(SHAPE), requires_grad=True)
    pulled = ad.vjp(lambda t: ad.softmax(t) * t, x)[1](u)[0]
    same("tangent", ad.grad(pulled, u, v), ad.jvp(lambda t: ad.softmax(t) * t, (x,), (v,))[1].numpy())


@pytest.mark.parametrize("product", [ad.hvp, ad.vhp])
def test_functions_without_curvature_have_no_hessian(product):
    x, v = drawn(1)
    for flat in (lambda t: (t * 3.0).sum(), lambda t: t[0, 0], lambda _: Tensor(2.0)):
        same("product", product(flat, x, v), np.zeros(SHAPE))


@pytest.mark.parametrize("product", [ad.hvp, ad.vhp])
def test_products_do_not_need_recording_and_leave_no_trace(product):
    x, v = drawn(2)
    leaf = Tensor(x, requires_grad=True)
    with ad.no_grad():
        found = product(FUNCTIONS["network"][0], leaf, v)
    assert not found.requires_grad
    assert leaf.grad is None
    same("product", found, product(FUNCTIONS["network"][0], x, v).numpy())


def test_gradients_are_graphs_only_when_asked():
    x = Tensor(np.ones(3), requires_grad=True)
    y = ad.sin(x)
    assert not ad.grad(y, x, np.ones(3)).requires_grad
    assert ad.grad(y, x, np.ones(3), create_graph=True).requires_grad
    assert not ad.jvp(ad.sin, (np.ones(3),), (np.ones(3),))[1].requires_grad
    assert ad.jvp(ad.sin, (x,), (np.ones(3),))[1].requires_grad
    assert x.grad is None


def test_a_gradient_penalty_trains_through_backward():
    x, other = Tensor(drawn(3)[0], requires_grad=True), in_torch(drawn(3)[0], wanted=True)
    ours, theirs = FUNCTIONS["network"]
    ours(x).backward(create_graph=True)
    slopes = x.grad
    x.zero_grad()
    (slopes * slopes).sum().backward()
    (others,) = torch.autograd.grad(theirs(other), other, create_graph=True)
    same(".grad", x.grad, torch.autograd.grad((others * others).sum(), other)[0])


def test_gradients_with_respect_to_intermediates_and_repeats_are_given():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = x * x
    z = (y * y * x).sum()
    same_all(
        "gradients", ad.grad(z, (y, x, y)), [2 * y.numpy() * x.numpy(), 5 * x.numpy() ** 4, 2 * y.numpy() * x.numpy()]
    )
    same("one output twice", ad.grad((z, z), x, (np.array(1.0), np.array(2.0))), 15 * x.numpy() ** 4)
    same_all("default cotangents", ad.grad((z, z * 2), [x]), [15 * x.numpy() ** 4])


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_input_that_is_not_used_has_zero_gradient_even_where_it_is_infinite(create_graph):
    x, unused = Tensor(np.ones(2), requires_grad=True), Tensor(np.array([np.inf, np.nan, 1.0]), requires_grad=True)
    same_all("gradients", ad.grad(x.sum(), (x, unused), create_graph=create_graph), [np.ones(2), np.zeros(3)])
    same("tangent", ad.jvp(lambda _: unused * 1.0, (np.ones(2),), (np.ones(2),))[1], np.zeros(3))


def test_cotangents_and_tangents_must_fit():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    pull = ad.vjp(ad.sin, x)[1]
    for wrong in (
        lambda: ad.grad(ad.sin(x), x),
        lambda: ad.grad(ad.sin(x), x, np.ones(3)),
        lambda: pull(np.ones(3)),
        pull,
        lambda: pull(np.ones((2, 3)), np.ones((2, 3))),
        lambda: ad.jvp(ad.sin, (x,), (np.ones(3),)),
        lambda: ad.jvp(ad.sin, (x,), ()),
    ):
        with pytest.raises(ValueError):
            wrong()


@pytest.mark.parametrize("x", [Tensor([1, 2]), Tensor([True])], ids=["integers", "truths"])
def test_a_gradient_in_numbers_that_are_not_floating_is_refused(x):
    y = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="Only floating tensors have gradients"):
        ad.grad(ad.sum(x * y), [y, x])
