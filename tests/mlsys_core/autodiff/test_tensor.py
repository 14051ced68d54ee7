"""The tensor beside Python numbers, numpy arrays and numpy's functions: types, memory, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from mlsys_core.autodiff.ops import UFUNCS
from tests.mlsys_core.autodiff.against_torch import same

BINARY = [u for u in UFUNCS if u.nin == 2]


def ones(*shape: int, dtype: str = "float64") -> Tensor:
    """A leaf of ones that requires a gradient."""
    return Tensor(np.ones(shape, dtype), requires_grad=True)


def test_an_array_is_shared_and_a_list_is_copied():
    data = np.zeros(3)
    assert Tensor(data).numpy() is data
    assert Tensor([1, 2, 3], dtype=float).dtype == np.float64
    assert Tensor(Tensor(data)).numpy() is data


def test_attributes_are_the_arrays():
    x = Tensor(np.zeros((2, 3), np.float32))
    assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.float32, 2)
    assert x.is_leaf
    assert (x.grad, x.requires_grad) == (None, False)
    assert Tensor(3.5).item() == 3.5


@pytest.mark.parametrize("data", [[1, 2], [True], ["a"], 1, [1j]])
def test_only_floating_tensors_have_gradients(data):
    with pytest.raises(TypeError, match="Only floating tensors have gradients"):
        Tensor(data, requires_grad=True)


@pytest.mark.parametrize("other", [2, 2.5, True, np.float64(0.5), np.ones(3, np.float32)])
@pytest.mark.parametrize(
    "operate", [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a / b, lambda a, b: a - b, lambda a, b: a**b]
)
def test_float32_stays_float32_beside_numbers(operate, other):
    x = ones(3, dtype="float32")
    for y in (operate(x, other), operate(other, x)):
        assert y.dtype == np.float32
        assert ad.grad(y.sum(), x, create_graph=True).dtype == np.float32


def test_gradients_have_the_type_of_their_leaf():
    x, y = ones(2, dtype="float32"), ones(2)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
    assert [g.dtype for g in ad.grad((x * y).sum(), (x, y))] == [np.float32, np.float64]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_numpys_functions_on_tensors_are_recorded(ufunc):
    x = Tensor(np.full((2, 2), 0.5), requires_grad=True)
    y = ufunc(*[x] * ufunc.nin)
    assert isinstance(y, Tensor)
    assert y.requires_grad
    same("value", y, ufunc(*[x.numpy()] * ufunc.nin))


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda u: u.__name__)
def test_numpys_functions_of_an_array_and_a_tensor_are_recorded_on_either_side(ufunc):
    array, x = np.array([[1.5, 2.0], [0.5, 3.0]]), Tensor(np.full((2, 2), 0.5), requires_grad=True)
    for args in ((array, x), (x, array)):
        y = ufunc(*args)
        assert isinstance(y, Tensor)
        assert y.requires_grad
        same("value", y, ufunc(*(np.asarray(a) for a in args)))


def test_numpys_functions_that_have_no_rule_are_refused():
    x = ones(2)
    for use in (lambda: np.floor(x), lambda: np.add(x, x, out=np.zeros(2)), lambda: np.add.reduce(x)):
        with pytest.raises(TypeError):
            use()


def test_a_tensor_becomes_an_array():
    x = ones(2, 3)
    assert np.asarray(x) is not x
    assert np.array(x, dtype=np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(x, copy=True), x.numpy())


def test_absolute_value_and_sign_are_operators():
    x = Tensor(np.array([-2.0, 3.0]), requires_grad=True)
    (abs(x) - -x).backward(np.array([1.0, 10.0]))
    same("gradient", x.grad, np.array([0.0, 20.0]))


def test_detached_tensors_share_their_data():
    x = ones(3)
    y = (x * 2).detach()
    assert y.is_leaf
    assert not y.requires_grad
    assert np.shares_memory(x.detach().numpy(), x.numpy())


def test_tensors_are_told_apart_by_identity():
    a, b = ones(2), ones(2)
    assert len({a, b, a}) == 2


def test_what_is_printed_says_where_it_came_from():
    x = ones(2)
    assert repr(x) == "Tensor([1., 1.], dtype=float64, requires_grad=True)"
    assert repr(x * 2) == "Tensor([2., 2.], dtype=float64, op=mul)"
    assert repr(x.detach()) == "Tensor([1., 1.], dtype=float64)"


def test_a_number_has_no_length_and_no_rows():
    with pytest.raises(TypeError):
        len(Tensor(1.0))
    with pytest.raises(TypeError):
        list(Tensor(1.0))
