"""Arithmetic against torch: broadcasting on both sides, one operand twice, numbers and arrays beside tensors, powers at 0."""

from __future__ import annotations

from operator import add, mul, pow, sub, truediv  # noqa: A004 - the operators' names

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, in_torch, same, same_all

CASES = Table()
BINARY = {
    ad.add: (torch.add, add, draws.normal),
    ad.sub: (torch.sub, sub, draws.normal),
    ad.mul: (torch.mul, mul, draws.normal),
    ad.div: (torch.div, truediv, draws.away),
    ad.pow: (torch.pow, pow, draws.positive),
}
BY_NAME = {op.__name__: op for op in BINARY}


def _enter(op):
    theirs, operator, draw = BINARY[op]

    @CASES.of(op, f"{op.__name__} with broadcasting")
    def _(rng):
        full = draws.shape(rng, 1)
        return Trial([draw(rng, draws.narrowed(rng, full)), draw(rng, full)][:: rng.choice([1, -1])], op, theirs)

    @CASES.of(op, f"{op.__name__} with both repeated")
    def _(rng):
        rows, columns = draws.shape(rng, 2, 2)
        return Trial([draw(rng, (rows, 1)), draw(rng, (1, columns))], op, theirs)

    @CASES.of(op, f"{op.__name__} of one operand twice")
    def _(rng):
        return Trial([draw(rng, draws.shape(rng))], lambda x: op(x, x), lambda x: theirs(x, x))

    @CASES.of(op, f"{op.__name__} as an operator")
    def _(rng):
        return Trial([draw(rng, draws.shape(rng)), draw(rng, ())], operator, operator)


for _op in BINARY:
    _enter(_op)


@CASES.of(ad.neg)
def negation(rng):
    return Trial([draws.normal(rng, draws.shape(rng))], lambda x: -x, torch.neg)


@CASES.of(ad.pow)
def whole_powers_of_both_signs(rng):
    exponent = np.asarray(rng.integers(-2, 4, draws.shape(rng, 2, 2)), dtype=np.float64)
    base = draws.away(rng, (*exponent.shape[:-1], 1))
    return Trial([base], lambda x: x**exponent, lambda x: x ** torch.tensor(exponent))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("shape", draws.EDGES, ids=str)
@pytest.mark.parametrize("name", BY_NAME)
def test_it_agrees_for_nothing_and_for_one_number(name, shape):
    rng = np.random.default_rng(0)
    theirs, _, draw = BINARY[BY_NAME[name]]
    hold(Trial([draw(rng, shape), draw(rng, shape)], BY_NAME[name], theirs), rng)
    hold(Trial([draw(rng, shape), draw(rng, ())], BY_NAME[name], theirs), rng)
    hold(Trial([draw(rng, (1,)), draw(rng, shape)], BY_NAME[name], theirs), rng)


@pytest.mark.parametrize("name", BY_NAME)
def test_numbers_and_arrays_may_stand_on_either_side(name):
    rng = np.random.default_rng(1)
    _, operator, _ = BINARY[BY_NAME[name]]
    x, other = draws.positive(rng, (2, 3)), np.array(draws.positive(rng, (4, 1, 3)))
    hold(Trial([x], lambda t: operator(t, 1.7), lambda t: operator(t, 1.7)), rng)
    hold(Trial([x], lambda t: operator(3, t), lambda t: operator(3, t)), rng)
    hold(Trial([x], lambda t: operator(t, other), lambda t: operator(t, torch.tensor(other))), rng)
    hold(Trial([x], lambda t: operator(other, t), lambda t: operator(torch.tensor(other), t)), rng)


def test_a_quotient_with_itself_has_no_slope():
    x = Tensor(np.array([0.3, -7.0, 2.0]), requires_grad=True)
    (x / x).backward(np.array([1.0, 2.0, 3.0]))
    same("gradient", x.grad, np.zeros(3))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_powers_of_zero_have_the_slopes_of_polynomials(exponent):
    # with the exponent as a number: torch gives NaN in the second order when it is an array
    x, other = Tensor(0.0, requires_grad=True), torch.zeros((), dtype=torch.float64, requires_grad=True)
    y = x**exponent
    slope = ad.grad(y, x, create_graph=True)
    (want,) = torch.autograd.grad(other**exponent, other)
    same("slope", slope, want)
    same("second slope", ad.grad(slope, x), np.array(2.0 if exponent == 2 else 0.0))


def test_a_zero_base_has_no_slope_in_its_exponent():
    arrays = np.array([0.0, 0.0, 2.0]), np.array([1.0, 3.0, 0.5])
    base, exponent = (Tensor(x, requires_grad=True) for x in arrays)
    ours = ad.grad(base**exponent, (base, exponent), np.array([1.0, 2.0, 3.0]))
    xs = [in_torch(x, wanted=True) for x in arrays]
    same_all("gradient", ours, torch.autograd.grad(xs[0] ** xs[1], xs, torch.tensor([1.0, 2.0, 3.0]).double()))


def _mixed(first: int) -> float:
    """∂²(aᵇ)/∂a∂b at a = 2, b = 0, the derivative in variable number `first` taken first."""
    variables = Tensor(2.0, requires_grad=True), Tensor(0.0, requires_grad=True)
    slope = ad.grad(variables[0] ** variables[1], variables[first], create_graph=True)
    return ad.grad(slope, variables[1 - first]).item()


def test_mixed_derivatives_of_a_power_are_symmetric_where_the_exponent_is_zero():
    # aᵇ⁻¹ (1 + b ln a); torch 2.13 is wrong here: it masks the slope in a at b = 0 and so loses its slope in b
    assert _mixed(0) == _mixed(1) == 0.5


def test_shapes_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match="broadcast"):
        ad.add(np.ones((2, 3)), Tensor(np.ones((3, 2)), requires_grad=True))


def test_a_product_with_a_constant_leaves_the_constant_without_a_gradient():
    x, constant = Tensor(np.ones(3), requires_grad=True), Tensor(np.arange(3.0))
    (x * constant / 2.0 - constant).sum().backward()
    assert constant.grad is None
    same("gradient", x.grad, np.arange(3.0) / 2)
