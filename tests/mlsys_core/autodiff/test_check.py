"""The checker is checked: it passes true derivatives of every operation and finds each of many planted wrong ones."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import GradientMismatchError, Tensor
from mlsys_core.autodiff.tape import Op
from mlsys_core.autodiff.tensor import record
from tests.mlsys_core.autodiff.against_torch import tables

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 3))
# where a difference is not a derivative: a kink within a step, numbers so large that the difference has no digits left
BLUNT = ("ties", "maximum_of_one_operand_twice", "large", "hundreds")


def smooth(case) -> bool:
    """Whether differences can judge this case."""
    return not any(word in case.label for word in BLUNT)


def planted(f, shares, tangent=None):
    """f with a reverse rule, shares(cotangent, *inputs), and a forward rule that is a difference when none is given."""

    def difference(ts, *xs):
        moves = [0.0 if t is None else 1e-6 * np.asarray(t) for t in ts]
        up, down = (f(*(np.asarray(x) + s * v for x, v in zip(xs, moves, strict=True))) for s in (1, -1))
        return (up - down) / 2e-6

    op = Op(
        "planted",
        lambda g, out, of: shares(g, *(of(x) for x in out.parents)),
        lambda ts, out, of: (tangent or difference)(ts, *(of(x) for x in out.parents)),
    )
    return lambda *xs: record(op, f(*(x.numpy() for x in xs)), xs)


def softmax(x):
    """Softmax on arrays."""
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


LEAST = np.equal(A, A.min())
# a function of arrays, its shares, and where
WRONG = {
    "zero": (np.sin, lambda g, _: (g * 0,), [A]),
    "wrong sign": (np.cos, lambda g, x: (g * np.sin(x),), [A]),
    "half": (np.square, lambda g, x: (g * x,), [A]),
    "a little too large": (np.square, lambda g, x: (g * x * 2.001,), [A]),
    "right for ones alone": (lambda x: x + 0, lambda g, _: (g[::-1],), [A]),
    "softmax without its mean": (softmax, lambda g, x: (g * softmax(x),), [A]),
    "operands exchanged": (np.multiply, lambda g, a, b: (g * a, g * b), [A, A + 1]),
    "second operand forgotten": (np.multiply, lambda g, _, b: (g * b, None), [A, A + 1]),
    "matrix not transposed": (np.matmul, lambda g, a, b: (g @ b, a.T @ g), [A, B]),
    "broadcast share averaged": (np.add, lambda g, *_: (g, g.mean(0, keepdims=True)), [A, B[0]]),
    "share in the wrong order": (lambda x: x.T + 0, lambda g, _: (g,), [A]),
    "not a number": (np.sin, lambda g, _: (g * np.nan,), [A]),
    "not a number in one place": (np.sin, lambda g, x: (g * np.where(LEAST, np.nan, np.cos(x)),), [A]),
    "one element": (np.sin, lambda g, x: (g * np.where(LEAST, 0.5, np.cos(x)),), [A]),
}


@pytest.mark.parametrize("case", [case for table in tables().values() for case in table if smooth(case)], ids=str)
def test_true_derivatives_pass(case):
    trial = case.trial(0)
    assert ad.gradcheck(trial.ours, trial.inputs, atol=1e-5)


@pytest.mark.parametrize(
    "f", [ad.tanh, ad.softmax, ad.layer_norm, ad.gelu, ad.logsumexp, lambda x: x**3 / (x * x + 1), lambda x: x @ x.T]
)
def test_true_second_derivatives_pass(f):
    assert ad.gradgradcheck(f, [A], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WRONG)
def test_a_planted_reverse_rule_is_found(name, seed):
    f, shares, inputs = WRONG[name]
    with pytest.raises(GradientMismatchError, match="The vjp with respect to input"):
        ad.gradcheck(planted(f, shares), inputs, seed=seed)


def test_a_planted_rule_without_its_fault_passes():
    f = planted(np.multiply, lambda g, a, b: (g * b, g * a))
    assert ad.gradcheck(f, [A, A + 1])


def test_a_wrong_forward_rule_is_found_unless_it_is_not_asked_for():
    f = planted(np.sin, lambda g, x: (g * np.cos(x),), lambda ts, x: ts[0] * x)
    assert ad.gradcheck(f, [A], forward=False)
    with pytest.raises(GradientMismatchError, match="The jvp of output 0"):
        ad.gradcheck(f, [A])


def test_a_wrong_rule_in_the_second_of_two_outputs_is_found():
    wrong = planted(np.sin, lambda g, _: (g,))
    with pytest.raises(GradientMismatchError):
        ad.gradcheck(lambda x: (ad.sin(x), wrong(x)), [A])


def test_a_slope_that_forgets_its_own_slope_is_found_in_second_order_alone():
    # the slope as an array is right, and as a graph a constant
    f = planted(np.sin, lambda g, x: (g * np.cos(np.asarray(x)),))
    assert ad.gradcheck(f, [A])
    with pytest.raises(GradientMismatchError):
        ad.gradgradcheck(f, [A], forward=False)


def test_the_message_says_where_and_how_far():
    f, shares, inputs = WRONG["one element"]
    where = tuple(int(i) for i in np.unravel_index(A.argmin(), A.shape))
    with pytest.raises(GradientMismatchError) as caught:
        ad.gradcheck(planted(f, shares), inputs)
    assert f" at {where}, and the finite difference there is " in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_a_difference_smaller_than_the_tolerance_passes():
    f, shares, inputs = WRONG["a little too large"]
    assert ad.gradcheck(planted(f, shares), inputs, rtol=0.01)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_inputs_of_too_few_digits_are_refused(dtype):
    with pytest.raises(TypeError, match=f"Input 1 is {dtype}; finite differences are only sharp enough in float64"):
        ad.gradcheck(ad.add, [A, np.ones(3, dtype)])


def test_a_function_that_gives_two_results_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(GradientMismatchError, match="two different results for the same inputs"):
        ad.gradcheck(lambda x: ad.dropout(x, 0.5, rng), [A])
    calls = count()
    with pytest.raises(GradientMismatchError, match="two different results"):
        ad.gradcheck(lambda x: x * float(next(calls)), [A])


def test_a_function_that_writes_into_its_input_is_refused():
    def spoils(x):
        y = x * x
        x.numpy()[0] = 7.0
        return y

    before = A.copy()
    with pytest.raises(GradientMismatchError, match="changed input 0 in place"):
        ad.gradcheck(spoils, [A])
    assert np.array_equal(A, before)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_numbers_and_nothing_are_checked(shape):
    assert ad.gradcheck(lambda x: ad.exp(x) * x, [np.ones(shape)])
    assert ad.gradgradcheck(lambda x: ad.exp(x) * x, [np.ones(shape)], atol=1e-5)


def test_tensors_are_inputs_too_and_stay_as_they_are():
    x = Tensor(A.copy(), requires_grad=True)
    assert ad.gradcheck(ad.sin, [x])
    assert x.grad is None
