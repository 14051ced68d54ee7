"""Products of eight bits: exact where they are integers, in float32 where they are floats, with scales of rows and of the whole."""

from __future__ import annotations

import random

import pytest

from tests.mlsys_core.kernels.where import DEVICE, ON_GPU, SCALE, generator

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from mlsys_core.kernels.matmul import fp8_matmul, int8_matmul, quantize_fp8, quantize_int8  # noqa: E402
from mlsys_core.kernels.matmul.eight_bits import LONGEST, eight_bit_tile, scaled_cost, scaled_reference  # noqa: E402
from mlsys_core.kernels.meter import Meter  # noqa: E402

FP8 = torch.float8_e4m3fn


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations (m, k) and weights (n, k), n and k multiples of 16, with rows of very different size."""
    draw, rng = random.Random(seed), generator(seed)
    m, n, k = draw.randint(1, 70) * SCALE, 16 * draw.randint(1, 5) * SCALE, 16 * draw.randint(1, 8) * SCALE
    rows = (torch.randn(size, k, generator=rng, device=DEVICE) for size in (m, n))
    x, w = (r * torch.randn(len(r), 1, generator=rng, device=DEVICE).exp() for r in rows)
    return x, w


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_integers_are_exact(seed):
    x, w = ((127 * torch.sign(t)).to(torch.int8) if seed == 0 else quantize_int8(t)[0] for t in drawn(seed))
    one = torch.ones(1, device=DEVICE)
    found = int8_matmul(x, one, w, one, out=torch.float32)
    assert torch.equal(found.cpu(), (x.cpu().to(torch.int64) @ w.cpu().to(torch.int64).T).float())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("biased", [False, True])
def test_scales_of_tokens_and_channels(seed, biased, held):
    x, w = drawn(seed)
    bias = torch.randn(len(w), generator=generator(seed), device=DEVICE) if biased else None
    arguments = (*quantize_int8(x), *quantize_int8(w), bias, torch.float32)
    expected = scaled_reference(*(a.cpu() if isinstance(a, torch.Tensor) else a for a in arguments))
    held("W8A8 matmul", "float64", int8_matmul(*arguments).cpu(), expected, 1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("promote", [0, 32])
def test_floats_of_eight_bits(seed, by_row, promote, held):
    x, w = drawn(seed)
    arguments = (*quantize_fp8(x, by_row=by_row), *quantize_fp8(w, by_row=by_row), None, torch.float32)
    found, expected = (
        fp8_matmul(*arguments, promote=promote).cpu(),
        scaled_reference(*(a.cpu() if isinstance(a, torch.Tensor) else a for a in arguments)),
    )
    scale = expected.abs().max()
    # the tensor core's own sum keeps fewer bits than float32
    held(
        f"fp8 matmul{', promoted' * bool(promote)}",
        "float64",
        found / scale,
        expected / scale,
        2e-3 if ON_GPU and not promote else 1e-4 if ON_GPU else 1e-6,
    )


def test_quantized_products_are_near_those_of_the_numbers():
    x, w = drawn(1)
    exact = x @ w.T
    for quantize, multiply, error in ((quantize_int8, int8_matmul, 0.02), (quantize_fp8, fp8_matmul, 0.06)):
        found = multiply(*quantize(x), *quantize(w), out=torch.float32)
        assert float((found - exact).norm() / exact.norm()) < error


@pytest.mark.parametrize("quantize", [quantize_int8, quantize_fp8])
def test_codes_times_scales_are_the_numbers_again(quantize):
    x, _ = drawn(2)
    x[0] = 0
    codes, scale = quantize(x)
    step = scale / 2 if codes.dtype == torch.int8 else x.abs().amax(1) / 16  # e4m3 has 3 bits after the first
    assert bool(((codes.float() * scale[:, None] - x).abs() <= step[:, None] * 1.001).all())
    assert not codes[0].float().any()


@pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")
@pytest.mark.parametrize("multiply", [int8_matmul, fp8_matmul])
def test_it_moves_what_the_formula_says(multiply):
    x, w = drawn(3)
    quantize = quantize_int8 if multiply is int8_matmul else quantize_fp8
    with Meter() as meter:
        multiply(*quantize(x), *quantize(w), out=torch.float16)
    report, cost = meter.report(), scaled_cost(len(x), len(w), x.shape[1], eight_bit_tile(len(x), 2), 2)
    assert meter.findings == ()
    assert (report["loaded"], report["stored"], report["dot_flops"]) == (cost.loaded, cost.stored, cost.dot_flops)


def test_it_is_an_operator_for_compilers():
    x, w = drawn(4)
    arguments = (*quantize_int8(x), *quantize_int8(w))
    torch.library.opcheck(torch.ops.mlsys.scaled_matmul.default, (*arguments, None, torch.float32, 0))
    compiled = torch.compile(lambda *a: int8_matmul(*a, out=torch.float32) * 2, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(*arguments), int8_matmul(*arguments, out=torch.float32) * 2)


ONE = torch.ones(1)
EIGHT = torch.ones(16, 32, dtype=torch.int8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: int8_matmul(EIGHT, ONE, EIGHT.to(FP8), ONE), "of torch.int8"),
        (lambda: fp8_matmul(EIGHT, ONE, EIGHT, ONE), "of torch.float8_e4m3fn"),
        (lambda: int8_matmul(EIGHT[:, :20], ONE, EIGHT[:, :20], ONE), "not both multiples of 16"),
        (lambda: int8_matmul(EIGHT, ONE.double(), EIGHT, ONE), "x_scale is"),
        (lambda: int8_matmul(EIGHT, ONE, EIGHT, torch.ones(3)), "w_scale is"),
        (lambda: int8_matmul(EIGHT, ONE, EIGHT, ONE, torch.ones(3)), "does not fit 16 outputs"),
        (lambda: fp8_matmul(EIGHT.to(FP8), ONE, EIGHT.to(FP8), ONE, promote=7), "cannot be promoted each 7"),
        (
            lambda: int8_matmul(*2 * (torch.ones(16, LONGEST // 16 * 16 + 16, dtype=torch.int8), ONE)),
            "can leave int32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()
