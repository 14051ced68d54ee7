"""Reading by every kind of index: numpy says which elements are read, torch what their gradients are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()
SHAPE = (4, 3, 5)
BOOLEAN = np.random.default_rng(0).random(SHAPE) < 0.4
INDICES = {
    "an integer": 2,
    "a negative integer": -1,
    "numpy's integer": np.int64(1),
    "integers": (1, -3, 2),
    "an integer as an array": np.array(2),
    "a slice": slice(1, 3),
    "slices": (slice(None), slice(0, 2), slice(1, None, 2)),
    "negative steps": (slice(None, None, -1), slice(None), slice(4, 0, -2)),
    "an empty slice": slice(2, 2),
    "everything": Ellipsis,
    "an ellipsis": (Ellipsis, 1),
    "an integer before an ellipsis": (0, Ellipsis, slice(1, 4)),
    "new axes": (None, slice(None), None, 1),
    "nothing": (),
    "a list": [3, 1, 1, -4],
    "a list in a tuple": ([3, 1, 1], slice(None), [0, 4, 4]),
    "an empty list": [],
    "an empty list in a tuple": (slice(None), []),
    "integers twice": np.array([[0, 0, 3], [-1, 3, 0]]),
    "narrow integers": np.array([3, 0, -1, 3], dtype=np.int8),
    "integers along the last axis": (slice(None), slice(None), np.array([4, 4, 0])),
    "arrays that broadcast": (np.array([[0], [3], [0]]), np.array([1, 1])),
    "arrays apart": (np.array([0, 3, 3]), slice(None), np.array([4, 4, 4])),
    "an integer apart from an array": (1, slice(None), np.array([2, 2, 0])),
    "an array and a new axis": (np.array([1, 1]), None, slice(1, 3)),
    "a mask": BOOLEAN,
    "a mask of rows": BOOLEAN[:, 0, 0],
    "a mask of two axes": (BOOLEAN[..., 0], slice(1, 3)),
    "a mask after a slice": (slice(None), BOOLEAN[0]),
    "a mask as a list": [True, False, True, True],
    "a mask of nothing": np.zeros(SHAPE, dtype=bool),
    "true": True,
    "a tensor": Tensor(np.array([2, 2, 1])),
    "a tensor of booleans": Tensor(BOOLEAN),
}


def numpys(index):
    """The index with tensors as arrays."""
    return index.numpy() if isinstance(index, Tensor) else index


def gathered(where: np.ndarray):
    """torch's reading of the elements at these flat positions."""
    return lambda t: t.reshape(-1)[torch.tensor(where.reshape(-1).copy())].reshape(where.shape)


def positions(shape: tuple[int, ...]) -> np.ndarray:
    """The flat position of each element."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def _enter(kind):
    index = INDICES[kind]

    @CASES.of(ad.getitem, kind)
    def _(rng):
        x = draws.normal(rng, SHAPE)
        return Trial([x], lambda t: t[index], gathered(positions(SHAPE)[numpys(index)]))


for _kind in INDICES:
    _enter(_kind)


@CASES.of(ad.getitem)
def one_tensor_read_twice(rng):
    x = draws.normal(rng, (5, 3))
    rows = rng.integers(-5, 5, 7)
    return Trial([x], lambda t: ad.getitem(t, rows) * t[2], lambda t: t[torch.tensor(rows)] * t[2])


@CASES.of(ad.take)
def take(rng):
    x = draws.normal(rng, draws.shape(rng, 1))
    axis = int(rng.integers(-x.ndim, x.ndim))
    n = x.shape[axis]
    indices = rng.integers(-n, n, draws.shape(rng, 0, 2))
    return Trial([x], lambda t: ad.take(t, indices, axis), gathered(np.take(positions(x.shape), indices, axis)))


@CASES.of(ad.embedding)
def embedding(rng):
    table = draws.normal(rng, draws.shape(rng, 2, 2))
    indices = rng.integers(0, len(table), draws.shape(rng))
    look_up = torch.nn.functional.embedding
    return Trial([table], lambda t: ad.embedding(t, indices), lambda t: look_up(torch.tensor(indices), t))


@CASES.of(ad.embedding)
def embedding_tied_with_an_output(rng):
    table = draws.normal(rng, (7, 3))
    indices = rng.integers(0, 7, (2, 4))
    look_up = torch.nn.functional.embedding
    return Trial([table], lambda t: ad.embedding(t, indices) @ t.T, lambda t: look_up(torch.tensor(indices), t) @ t.T)


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_tokens_of_every_width_index_a_table_that_is_longer_than_they_can_say(dtype):
    indices = np.array([[1, 127, 1], [0, 3, 127]], dtype=dtype)
    look_up = torch.nn.functional.embedding
    trial = Trial(
        [np.random.default_rng(0).standard_normal((300, 2))],
        lambda t: ad.embedding(t, indices),
        lambda t: look_up(torch.tensor(indices.astype(np.int64)), t),
    )
    hold(trial, np.random.default_rng(1))


def test_nothing_is_read_from_a_table_by_no_indices():
    table = Tensor(np.ones((4, 3)), requires_grad=True)
    ad.embedding(table, np.zeros((2, 0), dtype=int)).sum().backward()
    same("gradient", table.grad, np.zeros((4, 3)))


def test_an_element_that_is_read_often_gets_every_share():
    x = Tensor(np.arange(3.0), requires_grad=True)
    x[np.array([1] * 50 + [2])].backward(np.arange(51.0))
    same("gradient", x.grad, np.array([0.0, 1225.0, 50.0]))


def test_a_table_is_not_read_by_fractions():
    with pytest.raises(TypeError, match="read by integers, and these indices are float64"):
        ad.embedding(np.ones((4, 3)), np.array([0.0, 1.0]))


@pytest.mark.parametrize("read", [lambda x: x[4], lambda x: x[:, 3], lambda x: x[[0, 9]], lambda x: ad.take(x, 7, 1)])
def test_an_index_out_of_bounds_is_refused(read):
    with pytest.raises(IndexError, match="out of bounds"):
        read(Tensor(np.ones((4, 3)), requires_grad=True))


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_does_not_exist_is_refused(axis):
    with pytest.raises(np.exceptions.AxisError):
        ad.take(Tensor(np.ones((4, 3)), requires_grad=True), [0], axis)


def test_a_slice_is_a_view():
    x = Tensor(np.zeros((4, 3)), requires_grad=True)
    assert np.shares_memory(x[1:3].numpy(), x.numpy())


def test_rows_are_read_by_iteration():
    x = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    first, _, last = x
    (first * last).backward(np.array([1.0, 10.0]))
    same("gradient", x.grad, np.array([[4.0, 50.0], [0.0, 0.0], [0.0, 10.0]]))
