"""RMSNorm and LayerNorm, with and without the residual addition, against torch in float64, and their bytes against the meter."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels import layer_norm as layer
from mlsys_core.kernels import rms_norm as rms
from mlsys_core.kernels.meter import Meter
from mlsys_core.kernels.rows import WIDEST, programs_for
from tests.mlsys_core.kernels.operators import TOLERANCE, both, compiled, drawn, same_twice, strided
from tests.mlsys_core.kernels.where import DTYPES, ON_GPU, SCALE

EPS = 3e-5
NAMES = ["rms_norm", "add_rms_norm", "layer_norm", "add_layer_norm"]
OURS = {name: getattr(rms if "rms" in name else layer, name) for name in NAMES}
metered = pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")


def theirs(name):
    def norm(x, *weights):
        width = x.shape[-1:]
        return F.layer_norm(x, width, *weights, EPS) if "layer" in name else F.rms_norm(x, width, *weights, EPS)

    def add(x, residual, *weights):
        total = x + residual
        return norm(total, *weights), total

    return add if name.startswith("add") else norm


def inputs_of(name, shape, seed, dtype=torch.float32):
    shapes = [shape] * (2 if name.startswith("add") else 1) + [shape[-1:]] * (2 if "layer" in name else 1)
    return drawn(seed, *shapes, dtype=dtype)


def ours(name):
    return lambda *inputs: OURS[name](*inputs, EPS)


@pytest.mark.parametrize("shape", [(2, 1), (3, 5, 77), (1, 128 * SCALE)], ids=str)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_norm_and_its_gradients_are_those_of_torch(name, shape, dtype, held):
    seed = sum(shape)
    inputs = inputs_of(name, shape, seed, dtype)
    # a row of one element is ±1 or 0 whatever it is: torch in float64 takes the difference, float32 has the rounding
    found, expected = both(ours(name), theirs(name), inputs, seed)
    held(name, f"torch in float64, {dtype}", found, expected, TOLERANCE[dtype] * (100 if shape[-1] == 1 else 1))


@pytest.mark.parametrize("name", NAMES)
def test_rows_may_lie_apart(name, held):
    inputs = inputs_of(name, (4, 3, 37), 5)
    inputs = [strided(x, at) if x.ndim == 3 else x for at, x in enumerate(inputs)]
    found, expected = both(ours(name), theirs(name), inputs, 5)
    held(name, "torch in float64, rows apart", found, expected, TOLERANCE[torch.float32])


@pytest.mark.parametrize("name", NAMES)
def test_columns_may_lie_apart_and_gradients_may_be_one_number(name, held):
    inputs = [x.detach().T.contiguous().T.requires_grad_() if x.ndim == 2 else x for x in inputs_of(name, (6, 40), 7)]
    total = lambda f: lambda *x: sum(o.sum() for o in (f(*x) if name.startswith("add") else (f(*x),)))  # noqa: E731
    found, expected = both(total(ours(name)), total(theirs(name)), inputs, 7)
    held(name, "torch in float64, columns apart", found, expected, TOLERANCE[torch.float32])


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_give_no_rows_and_a_gradient_of_zero(name):
    inputs = inputs_of(name, (0, 3, 24), 1)
    out = OURS[name](*inputs, EPS)
    outs = out if name.startswith("add") else (out,)
    assert all(one.shape == (0, 3, 24) for one in outs)
    gradients = torch.autograd.grad(sum(one.sum() for one in outs), inputs)
    assert [g.shape for g in gradients] == [x.shape for x in inputs]
    assert all(not g.any() for g in gradients)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_rows_far_from_zero_do_not_cancel(name, held):
    x, *weights = inputs_of(name, (5, 200), 3)
    x = (x.detach() + 1e4).requires_grad_()
    found, expected = both(ours(name), theirs(name), [x, *weights], 3)
    held(name, "torch in float64, rows near 10^4", found[0], expected[0], 1e-2)


def test_the_sum_is_rounded_before_it_is_normalised():
    half = torch.float16
    x, residual, weight = inputs_of("add_rms_norm", (7, 90), 11, half)
    out, total = rms.add_rms_norm(x, residual, weight, EPS)
    assert torch.equal(total, x + residual)
    assert torch.equal(out, rms.rms_norm(total, weight, EPS))


@pytest.mark.parametrize("name", ["add_rms_norm", "add_layer_norm"])
def test_either_result_may_go_unused(name, held):
    inputs = inputs_of(name, (5, 30), 17)
    for index in (0, 1):
        found, expected = (
            list(torch.autograd.grad(function(*inputs)[index].square().sum(), inputs[:2]))
            for function in (ours(name), theirs(name))
        )
        held(name, "torch, one result used", [x.cpu() for x in found], [x.cpu() for x in expected], 1e-4)


@metered
@pytest.mark.parametrize("name", ["rms_norm", "add_rms_norm"])
def test_without_gradients_nothing_is_kept_for_them(name):
    with Meter() as meter, torch.no_grad():
        OURS[name](*inputs_of(name, (6, 50), 19), EPS)
    moved = meter.report()["loaded"] + meter.report()["stored"]
    assert moved == rms.rms_norm_bytes(6, 50, 4, add=name == "add_rms_norm", keep=False)
    assert meter.findings == ()


@pytest.mark.parametrize("name", NAMES)
def test_two_calls_agree_to_the_bit(name):
    assert same_twice(ours(name), inputs_of(name, (14 * SCALE, 70), 2), 2)


@pytest.mark.parametrize("name", NAMES)
def test_torch_accepts_the_operator(name):
    inputs = inputs_of(name, (3, 4, 20), 13)
    torch.library.opcheck(getattr(torch.ops.mlsys, name).default, (*inputs, EPS))
    seen, expected = both(compiled(ours(name)), theirs(name), inputs, 13)
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-4, check_dtype=False)


@metered
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_the_formula(name, seed):
    rows, width, dtype = 9 + 4 * seed, [64, 45, 130][seed], [torch.float32, torch.float16, torch.float32][seed]
    inputs, add = inputs_of(name, (rows, width), seed, dtype), name.startswith("add")
    base = name.removeprefix("add_")
    module = rms if base == "rms_norm" else layer
    with Meter() as meter:
        out = OURS[name](*inputs, EPS)
        forward = meter.report()
        torch.autograd.grad(sum(one.sum() for one in out) if add else out.sum(), inputs)
    assert meter.findings == ()
    size = inputs[0].element_size()
    assert forward["loaded"] + forward["stored"] == getattr(module, f"{base}_bytes")(rows, width, size, add=add)
    after = meter.report()
    moved = after["loaded"] + after["stored"] - forward["loaded"] - forward["stored"]
    programs = programs_for(inputs[0])
    assert moved == getattr(module, f"{base}_backward_bytes")(rows, width, size, programs, above=add)


def test_what_cannot_be_is_said():
    x, weight = drawn(0, (2, 8), (8,))
    with pytest.raises(ValueError, match="one dense vector"):
        rms.rms_norm(x, weight[:7])
    with pytest.raises(ValueError, match="one dense vector"):
        layer.layer_norm(x, weight, weight.expand(2, 8)[:, ::2])
    with pytest.raises(ValueError, match="two alike"):
        rms.add_rms_norm(x, x[:1], weight)
    with pytest.raises(ValueError, match="two alike"):
        layer.add_layer_norm(x, x.half(), weight, weight)
    wide = torch.zeros(1, WIDEST + 1, device=x.device)
    with pytest.raises(ValueError, match=f"{WIDEST} is the most"):
        rms.rms_norm(wide, wide[0])
