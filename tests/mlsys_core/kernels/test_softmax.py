"""Softmax by a block and by tiles against torch in float64, on rows that break a careless one; its bytes against the meter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core.kernels import softmax as module
from mlsys_core.kernels.meter import Meter
from mlsys_core.kernels.softmax import BLOCK, softmax, softmax_backward_bytes, softmax_bytes
from tests.mlsys_core.kernels.operators import TOLERANCE, both, compiled, drawn, same_twice, strided
from tests.mlsys_core.kernels.where import DTYPES, ON_GPU, SCALE

LONG = 2 * BLOCK + 39


def theirs(x):
    return x.softmax(-1)


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 3, 77), (17 * SCALE, 64), (3, BLOCK), (3, BLOCK + 1), (2, LONG)], ids=str
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_softmax_and_its_gradient_are_those_of_torch(shape, dtype, held):
    inputs = drawn(sum(shape), shape, dtype=dtype, scale=3)
    found, expected = both(softmax, theirs, inputs, sum(shape))
    held("softmax", f"torch in float64, {dtype}", found, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("width", [50, LONG])
def test_logits_of_ten_thousand_do_not_overflow(width, held):
    (x,) = drawn(1, (6, width))
    x = ((x.detach() > 0).to(x) * 2e4 - 1e4 + x.detach()).requires_grad_()
    found, expected = both(softmax, theirs, [x], 1)
    held("softmax", "torch in float64, logits ±10^4", found, expected, 1e-3)


@pytest.mark.parametrize("width", [50, LONG])
def test_masked_logits_get_nothing_and_a_row_with_nothing_else_is_nan(width):
    (x,) = drawn(2, (4, width))
    x = x.detach()
    x[0, 1:], x[1, : width // 2], x[2] = float("-inf"), float("-inf"), float("-inf")
    with np.errstate(invalid="ignore"):  # the interpreter's numpy has an opinion on -inf - -inf
        found = softmax(x)
    assert found[0].tolist() == [1.0] + [0.0] * (width - 1)
    torch.testing.assert_close(found, x.softmax(-1), equal_nan=True)
    assert found[2].isnan().all()


@pytest.mark.parametrize("width", [41, LONG])
def test_rows_may_lie_apart_and_columns_too(width, held):
    (x,) = drawn(3, (2, 3, width))
    for one in (strided(x, 3), x.detach().transpose(0, 2).contiguous().transpose(0, 2).requires_grad_()):
        found, expected = both(softmax, theirs, [one], 3)
        held("softmax", "torch in float64, strides", found, expected, TOLERANCE[torch.float32])


def test_no_rows_and_no_columns():
    for shape in ((0, 5), (3, 0), (0, 2, 7)):
        (x,) = drawn(4, shape)
        assert softmax(x).shape == shape
        assert torch.autograd.grad(softmax(x).sum(), x)[0].shape == shape


def test_two_calls_agree_to_the_bit():
    assert same_twice(softmax, drawn(5, (9, LONG)), 5)
    assert same_twice(softmax, drawn(5, (9 * SCALE, 100)), 5)


def test_torch_accepts_the_operator():
    inputs = drawn(6, (3, 4, 20))
    torch.library.opcheck(torch.ops.mlsys.softmax.default, tuple(inputs))
    found, expected = both(compiled(softmax), theirs, inputs, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")
@pytest.mark.parametrize(("rows", "width"), [(7, 90), (3, BLOCK), (2, LONG)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_bytes_are_those_of_the_formula(rows, width, dtype):
    (x,) = drawn(width, (rows, width), dtype=dtype)
    with Meter() as meter:
        y = softmax(x)
        forward = meter.report()
        torch.autograd.grad(y.sum(), x)
    assert meter.findings == ()
    size, after = x.element_size(), meter.report()
    moved = forward["loaded"] + forward["stored"]
    assert moved == softmax_bytes(rows, width, size)
    assert after["loaded"] + after["stored"] - moved == softmax_backward_bytes(rows, width, size)


@pytest.mark.skipif(ON_GPU, reason="the interpreter takes any block")
def test_a_tile_of_any_size_gives_the_same(monkeypatch, held):
    (x,) = drawn(8, (3, 300))
    for block in (32, 512):
        monkeypatch.setattr(module, "BLOCK", block)
        found, expected = both(softmax, theirs, [x], 8)
        held("softmax", "torch in float64, other tiles", found, expected, TOLERANCE[torch.float32])
