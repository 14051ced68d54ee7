"""SwiGLU from two tensors and from halves, and rotary positions, against torch in float64; their bytes against the meter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels.meter import Meter
from mlsys_core.kernels.rope import rope, rope_bytes, rope_table
from mlsys_core.kernels.swiglu import swiglu, swiglu_backward_bytes, swiglu_bytes, swiglu_packed
from mlsys_core.workloads.gpt import rope as rope_of_the_model
from tests.mlsys_core.kernels.operators import TOLERANCE, both, compiled, drawn, same_twice, strided
from tests.mlsys_core.kernels.where import DEVICE, DTYPES, ON_GPU, SCALE

metered = pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")


def apart(gate, up):
    return F.silu(gate) * up


def packed(x):
    return apart(*x.chunk(2, -1))


@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 77), (1, 601 * SCALE)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_swiglu_and_its_gradients_are_those_of_torch(shape, dtype, held):
    seed = sum(shape)
    found, expected = both(swiglu, apart, drawn(seed, shape, shape, dtype=dtype, scale=2), seed)
    held("swiglu", f"torch in float64, {dtype}", found, expected, TOLERANCE[dtype])
    inputs = drawn(seed, (*shape[:-1], 2 * shape[-1]), dtype=dtype, scale=2)
    found, expected = both(swiglu_packed, packed, inputs, seed)
    held("swiglu_packed", f"torch in float64, {dtype}", found, expected, TOLERANCE[dtype])


def test_swiglu_of_rows_and_columns_that_lie_apart(held):
    gate, up = drawn(1, (3, 4, 50), (3, 4, 50))
    turned = up.detach().transpose(0, 2).contiguous().transpose(0, 2).requires_grad_()
    for inputs in ([strided(gate, 1), up], [gate, turned], [strided(gate, 1), strided(up, 2)]):
        found, expected = both(swiglu, apart, inputs, 1)
        held("swiglu", "torch in float64, strides", found, expected, TOLERANCE[torch.float32])
    found, expected = both(swiglu_packed, packed, [strided(gate, 3)], 1)
    held("swiglu_packed", "torch in float64, strides", found, expected, TOLERANCE[torch.float32])


def test_swiglu_of_gates_of_ten_thousand_is_open_or_shut(held):
    gate, up = drawn(2, (4, 33), (4, 33))
    gate = (gate.detach().sign() * 1e4).requires_grad_()
    with np.errstate(over="ignore"):  # the interpreter's numpy has an opinion on exp(10^4)
        found, expected = both(swiglu, apart, [gate, up], 2)
    assert all(one.isfinite().all() for one in found)
    held("swiglu", "torch in float64, gates ±10^4", found, expected, 1e-5)


def test_swiglu_of_nothing():
    for shape in ((0, 6), (4, 0)):
        gate, up = drawn(3, shape, shape)
        assert [g.shape for g in torch.autograd.grad(swiglu(gate, up).sum(), (gate, up))] == [shape, shape]
        assert swiglu_packed(gate).shape == (shape[0], shape[1] // 2)


def test_swiglu_and_rope_agree_with_themselves_to_the_bit():
    assert same_twice(swiglu, drawn(4, (7, 300), (7, 300)), 4)
    assert same_twice(swiglu_packed, drawn(4, (7, 300)), 4)
    table = rope_table(torch.arange(9, device=DEVICE), 16, 1e4, torch.float32)
    assert same_twice(lambda x: rope(x, *table), drawn(4, (2, 3, 9, 16)), 4)


def test_torch_accepts_swiglu():
    gate, up = drawn(5, (3, 4, 20), (3, 4, 20))
    torch.library.opcheck(torch.ops.mlsys.swiglu.default, (gate, up))
    torch.library.opcheck(torch.ops.mlsys.swiglu_packed.default, (gate,))
    found, expected = both(compiled(lambda g, u: swiglu(g, u) + 1), lambda g, u: apart(g, u) + 1, [gate, up], 5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, check_dtype=False)
    found, expected = both(compiled(swiglu_packed), packed, [gate], 5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, check_dtype=False)


@metered
@pytest.mark.parametrize("shape", [(3, 90), (2, 5, 64)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_bytes_of_swiglu_are_those_of_the_formula(shape, dtype):
    for function, inputs in (
        (swiglu, drawn(6, shape, shape, dtype=dtype)),
        (swiglu_packed, drawn(6, shape, dtype=dtype)),
    ):
        with Meter() as meter:
            out = function(*inputs)
            forward = meter.report()
            torch.autograd.grad(out.sum(), inputs)
        assert meter.findings == ()
        after, size = meter.report(), out.element_size()
        moved = forward["loaded"] + forward["stored"]
        assert moved == swiglu_bytes(out.numel(), size)
        assert after["loaded"] + after["stored"] - moved == swiglu_backward_bytes(out.numel(), size)


def test_what_swiglu_cannot_take_is_said():
    (x,) = drawn(7, (3, 7))
    with pytest.raises(ValueError, match="last axis must be even"):
        swiglu_packed(x)
    with pytest.raises(ValueError, match="two alike"):
        swiglu(x, x[:2])


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 3, 37, 16), (1, 4, 50, 10), (3, 1, 5, 128)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rope_and_its_gradient_are_those_of_the_model(shape, dtype, held):
    batch, heads, times, width = shape
    # as the model has it: heads cut from a projection, so the strides are those of (B, T, H, D)
    (x,) = drawn(times, (batch, times, heads, width), dtype=dtype)
    positions = torch.randint(0, 5000, (times,), device=DEVICE)
    table = rope_table(positions, width, 1e4, torch.float32)
    found, expected = both(
        lambda one: rope(one.transpose(1, 2), *table),
        lambda one: rope_of_the_model(one.transpose(1, 2), positions, 1e4),
        [x],
        times,
    )
    held("rope", f"workloads.gpt in float64, {dtype}", found, expected, TOLERANCE[dtype])


def test_a_rotation_keeps_lengths_and_its_backward_turns_back():
    (x,) = drawn(8, (2, 3, 11, 24))
    table = rope_table(torch.arange(7, 18, device=DEVICE), 24, 1e4, torch.float32)
    y = rope(x, *table)
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1))
    (back,) = torch.autograd.grad(y, x, y.detach())
    torch.testing.assert_close(back, x.detach(), rtol=1e-5, atol=1e-5)


def test_rope_takes_any_strides_and_nothing():
    (x,) = drawn(9, (2, 13, 4, 16))
    table = rope_table(torch.arange(13, device=DEVICE), 16, 1e4, torch.float32)
    plain = rope(x.detach().transpose(1, 2).contiguous(), *table)
    for view in (
        x.transpose(1, 2),
        strided(x, 9).transpose(1, 2),
        x.detach().permute(3, 0, 1, 2).contiguous().permute(1, 3, 2, 0),
    ):
        torch.testing.assert_close(rope(view, *table), plain)
    (empty,) = drawn(9, (0, 2, 13, 16))
    assert rope(empty, *table).shape == empty.shape
    with pytest.raises(ValueError, match=r"make one of \(13, 8\)"):
        rope(x.transpose(1, 2), table[0][:5], table[1][:5])


def test_torch_accepts_rope():
    (x,) = drawn(10, (2, 3, 9, 8))
    table = rope_table(torch.arange(9, device=DEVICE), 8, 1e4, torch.float32)
    torch.library.opcheck(torch.ops.mlsys.rope.default, (x, *table, False))
    found, expected = both(compiled(lambda one: rope(one, *table)), lambda one: rope(one.float(), *table), [x], 10)
    torch.testing.assert_close(found, expected, check_dtype=False)


@metered
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_bytes_of_rope_are_those_of_the_formula(dtype):
    batch, heads, times, width = 2, 3, 41, 12
    (x,) = drawn(11, (batch, times, heads, width), dtype=dtype)
    table = rope_table(torch.arange(times), width, 1e4, dtype)
    with Meter() as meter:
        y = rope(x.transpose(1, 2), *table)
        once = meter.report()
        torch.autograd.grad(y.sum(), x)
    assert meter.findings == ()
    assert once["loaded"] + once["stored"] == rope_bytes(batch, heads, times, width, x.element_size())
    twice = meter.report()
    assert twice["loaded"] + twice["stored"] == 2 * (once["loaded"] + once["stored"])
