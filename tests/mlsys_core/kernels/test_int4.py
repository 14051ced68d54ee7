"""Weights of four bits: packing and its inverse, what rounding loses, and products that read them packed."""

from __future__ import annotations

import random

import pytest

from tests.mlsys_core.kernels.where import DEVICE, HALVES, ON_GPU, SCALE, generator

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from mlsys_core.kernels.matmul import dequantize_int4, int4_matmul, pack_int4, quantize_int4, unpack_int4  # noqa: E402
from mlsys_core.kernels.matmul.int4_products import (  # noqa: E402
    Int4Tile,
    few_cost,
    few_product,
    gemv_cost,
    gemv_product,
    usual_tokens,
)
from mlsys_core.kernels.meter import Meter  # noqa: E402

TOLERANCE = {torch.float16: 2e-3, torch.bfloat16: 1e-2}


def codes(seed: int, n: int, k: int) -> torch.Tensor:
    return torch.randint(16, (n, k), generator=generator(seed), device=DEVICE)


def drawn(seed: int, dtype: torch.dtype, m: int, *, group: int = 128):
    """x (m, k), packed weights of n outputs and their scales and zeros, with x in rows that have gaps."""
    draw, rng = random.Random(seed), generator(seed)
    n, k = draw.randint(1, 90) * SCALE, group * draw.randint(1, 4) * SCALE
    packed = pack_int4(codes(seed, n, k), group)
    scale = torch.rand(k // group, n, generator=rng, device=DEVICE) * 0.1 + 0.01
    affine = torch.stack((scale, codes(seed + 1, k // group, n).float()), 2).to(dtype)
    x = torch.randn(m, 2 * k, generator=rng, device=DEVICE).to(dtype)[:, k // 2 : k // 2 + k]
    return x, packed, affine


@pytest.mark.parametrize(("n", "k", "group"), [(1, 128, 128), (13, 512, 128), (3, 96, 32), (7, 40, 8), (0, 64, 64)])
def test_unpacking_is_the_inverse_of_packing(n, k, group):
    q = codes(n, n, k)
    packed = pack_int4(q, group)
    assert packed.shape == (-(-n // 8), k // group, 8, group // 2)
    assert packed.dtype == torch.uint8
    assert torch.equal(unpack_int4(packed, n), q.to(torch.uint8))
    assert not unpack_int4(packed)[n:].any()


@pytest.mark.parametrize("group", [8, 64, 128])
def test_a_code_lies_where_the_module_says(group):
    words, draw = group // 8, random.Random(group)
    for place in draw.sample(range(3 * group), 12):
        q, row = torch.zeros(20, 3 * group, dtype=torch.int64), draw.randrange(20)
        q[row, place] = 13
        word, turn = place % group % words, place % group // words
        found = pack_int4(q, group).view(torch.int32)[row // 8, place // group, row % 8, word]
        assert found.item() & 0xFFFFFFFF == 13 << 4 * turn


@pytest.mark.parametrize("seed", range(4))
def test_rounding_loses_half_a_step_at_most(seed):
    draw = random.Random(seed)
    w = torch.randn(draw.randint(1, 20), 64 * draw.randint(1, 4), generator=generator(seed), device=DEVICE) + seed - 1
    packed, affine = quantize_int4(w, 64, torch.float16)
    step = affine[..., 0].float().T.repeat_interleave(64, 1)
    assert bool(((dequantize_int4(packed, affine) - w).abs() <= 0.51 * step).all())
    assert torch.equal(affine[..., 1], affine[..., 1].round())


def test_weights_that_four_bits_hold_come_back_whole():
    w = (codes(3, 6, 256).float() - 5) / 4
    w[:, ::128], w[:, 1::128] = -1.25, 2.5
    packed, affine = quantize_int4(w)
    assert torch.equal(dequantize_int4(packed, affine), w)
    assert not dequantize_int4(*quantize_int4(torch.zeros(2, 128))).any()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("m", [1, 2, 16, 33, 64])
@pytest.mark.parametrize("dtype", HALVES)
def test_products_are_those_of_the_weights_unpacked(seed, m, dtype, held):
    x, packed, affine = drawn(seed, dtype, m)
    found, expected = int4_matmul(x, packed, affine), x.float() @ dequantize_int4(packed, affine).T
    scale = float(expected.abs().max())
    held(
        "W4A16 matmul", "torch, unpacked", found.float().cpu() / scale, expected.float().cpu() / scale, TOLERANCE[dtype]
    )
    assert found.dtype == dtype


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("dtype", HALVES)
def test_sums_in_parts(parts, dtype, held):
    for product, m in ((gemv_product, 1), (few_product, 5)):
        x, packed, affine = drawn(parts, dtype, m)
        found, expected = (
            product(x.contiguous(), packed, affine, parts=parts),
            x.float() @ dequantize_int4(packed, affine).T,
        )
        scale = float(expected.abs().max())
        held(
            "W4A16 matmul, in parts",
            "torch, unpacked",
            found.float().cpu() / scale,
            expected.float().cpu() / scale,
            TOLERANCE[dtype],
        )
        assert torch.equal(found, product(x.contiguous(), packed, affine, parts=parts)), "the same bits each time"


def test_other_groups_for_one_token():
    x, packed, affine = drawn(5, torch.float16, 1, group=32)
    torch.testing.assert_close(
        gemv_product(x.contiguous(), packed, affine).float(),
        x.float() @ dequantize_int4(packed, affine).T,
        rtol=2e-3,
        atol=2e-3,
    )


@pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")
@pytest.mark.parametrize(("m", "n", "k"), [(1, 37, 384), (5, 20, 256), (21, 33, 128)])
def test_it_moves_what_the_formula_says(m, n, k):
    x, packed = torch.randn(m, k).half(), pack_int4(codes(1, n, k))
    affine = torch.ones(k // 128, n, 2, dtype=torch.float16)
    tile = Int4Tile(16) if m == 1 else Int4Tile(16, 16)
    with Meter() as meter:
        (gemv_product if m == 1 else few_product)(x, packed, affine, tile)
    report, cost = meter.report(), gemv_cost(n, k, tile, 3) if m == 1 else few_cost(m, n, k, tile)
    assert meter.findings == ()
    assert (report["loaded"], report["stored"], report["dot_flops"]) == (cost.loaded, cost.stored, cost.dot_flops)


def test_four_bits_and_a_quarter_move_for_each_weight():
    n, k = 28672, 8192
    cost = gemv_cost(n, k, Int4Tile(8), 264)
    assert (cost.loaded - 2 * k * 264) * 8 / (n * k) == 4.25


def test_it_is_an_operator_for_compilers():
    x, packed, affine = drawn(2, torch.float16, 3)
    torch.library.opcheck(torch.ops.mlsys.int4_matmul.default, (x, packed, affine))
    compiled = torch.compile(lambda *a: int4_matmul(*a) * 2, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(x, packed, affine), int4_matmul(x, packed, affine) * 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(2, 256)}, "both float16 or bfloat16"),
        ({"x": torch.ones(2, 128).half()}, "does not fit 128 inputs"),
        ({"affine": torch.ones(4, 16, 2).half()}, "do not fit weights"),
        ({"affine": torch.ones(2, 17, 2).half()}, "do not fit weights"),
        (
            {"packed": torch.zeros(2, 4, 8, 32, dtype=torch.uint8), "affine": torch.ones(4, 16, 2).half()},
            "groups of 64",
        ),
        ({"packed": torch.zeros(2, 2, 64, 8, dtype=torch.uint8).transpose(2, 3)}, "give them contiguous"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(change, message):
    packed, affine = torch.zeros(2, 2, 8, 64, dtype=torch.uint8), torch.ones(2, 16, 2).half()
    with pytest.raises(ValueError, match=message):
        int4_matmul(**({"x": torch.ones(2, 256).half(), "packed": packed, "affine": affine} | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_int4(torch.full((1, 128), 16)), "four bits hold 0 to 15"),
        (lambda: pack_int4(torch.zeros(1, 100, dtype=torch.int64)), "cannot be cut into groups of 128"),
        (lambda: unpack_int4(torch.zeros(1, 64)), "is not packed"),
        (lambda: quantize_int4(torch.zeros(1, 100)), "cannot be cut into groups of 128"),
    ],
)
def test_packing_refuses_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_tile_takes_all_of_a_few_tokens():
    assert [usual_tokens(m) for m in (2, 16, 17, 33, 64, 100)] == [16, 16, 32, 64, 64, 64]
