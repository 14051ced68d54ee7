"""The matrix products: each kernel against torch, its bytes against its formula, and the operator's gradients against autograd's."""

from __future__ import annotations

import random

import pytest

from tests.mlsys_core.kernels.where import DEVICE, DTYPES, HALVES, ON_GPU, SCALE, generator

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from mlsys_core.kernels.matmul import matmul, matmul_reference, persistent_matmul, split_k_matmul, tiled_matmul  # noqa: E402
from mlsys_core.kernels.matmul.operator import METHODS  # noqa: E402
from mlsys_core.kernels.matmul.persistent import fits_tma  # noqa: E402
from mlsys_core.kernels.matmul.split_k import split_k_cost, usual_parts  # noqa: E402
from mlsys_core.kernels.matmul.tiles import ACTIVATIONS, Tile, numbered, place, tiled_cost, wave_bytes  # noqa: E402
from mlsys_core.kernels.meter import Meter, bytes_floor  # noqa: E402

TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
METERED = pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")


def drawn(seed: int, *, multiple: int = 1) -> tuple[int, int, int]:
    """An uneven shape m, n, k; n and k multiples of `multiple`."""
    draw = random.Random(seed)
    m, n, k = (draw.randint(1, 75) * SCALE for _ in range(3))
    return m, -(-n // multiple) * multiple, -(-k // multiple) * multiple


def matrix(seed: int, rows: int, columns: int, dtype: torch.dtype, form: str = "rows") -> torch.Tensor:
    """Random numbers in a matrix that lies in memory by rows, by columns, or as a part of a larger one with gaps."""
    if form == "columns":
        return matrix(seed, columns, rows, dtype).T
    if form == "gaps":
        return matrix(seed, 2 * rows + 3, 3 * columns + 1, dtype)[3::2, 1::3]
    return torch.randn(rows, columns, generator=generator(seed), device=DEVICE).to(dtype)


def small_tile(seed: int) -> Tile:
    draw = random.Random(seed)
    rows, columns, depth = (draw.choice([16, 32, 64]) for _ in range(3))
    return Tile(rows, columns, depth, group=draw.randint(1, 4))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_of_any_shape_and_strides(seed, dtype, held):
    m, n, k = drawn(seed)
    draw = random.Random(seed)
    a, b = (
        matrix(seed + i, *s, dtype, draw.choice(["rows", "columns", "gaps"])) for i, s in enumerate([(m, k), (k, n)])
    )
    bias, activation = matrix(seed, 1, n, dtype)[0], draw.choice(ACTIVATIONS)
    found = tiled_matmul(a, b, bias, activation, small_tile(seed))
    held(
        "matmul, tiled",
        "torch",
        found.float().cpu(),
        matmul_reference(a, b, bias, activation).float().cpu(),
        TOLERANCE[dtype] * k**0.5,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", HALVES)
def test_persistent_programs_read_matrices_either_way(seed, dtype, held):
    m, n, k = drawn(seed, multiple=8)
    m = -(-m // 8) * 8
    a, b = (
        matrix(seed, m, k, dtype, ["rows", "columns"][seed % 2]),
        matrix(seed + 1, k, n, dtype, ["rows", "columns"][seed // 2 % 2]),
    )
    bias, activation = matrix(seed, 1, n, dtype)[0], ACTIVATIONS[seed % 4]
    found = persistent_matmul(a, b, bias, activation, Tile(64 if ON_GPU else 32, 64 if ON_GPU else 32, 32, group=2))
    held(
        "matmul, persistent",
        "torch",
        found.float().cpu(),
        matmul_reference(a, b, bias, activation).float().cpu(),
        TOLERANCE[dtype] * k**0.5,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("atomic", [False, True])
def test_a_sum_in_parts(seed, atomic, held):
    m, n, _ = drawn(seed)
    k = random.Random(seed).randint(1, 300)
    dtype = DTYPES[seed % len(DTYPES)]
    a, b, bias = matrix(seed, m, k, dtype, "columns"), matrix(seed + 1, k, n, dtype), matrix(seed, 1, n, dtype)[0]
    found = split_k_matmul(a, b, bias, "silu", small_tile(seed), parts=1 + seed, atomic=atomic)
    held(
        "matmul, split-K",
        "torch",
        found.float().cpu(),
        matmul_reference(a, b, bias, "silu").float().cpu(),
        TOLERANCE[dtype] * k**0.5,
    )


def test_parts_joined_in_order_give_the_same_bits_each_time():
    a, b = matrix(0, 33, 300, torch.float32), matrix(1, 300, 30, torch.float32)
    first = split_k_matmul(a, b, tile=Tile(32, 32, 32), parts=5)
    assert all(torch.equal(first, split_k_matmul(a, b, tile=Tile(32, 32, 32), parts=5)) for _ in range(SCALE))


def test_parts_are_used_where_tiles_are_few_and_sums_long():
    tile = Tile(128, 128, 64)
    assert usual_parts(4, 8192, tile, 132) == 32
    assert usual_parts(4, 1024, tile, 132) == 4
    assert usual_parts(132, 8192, tile, 132) == 1
    assert usual_parts(1000, 8192, tile, 132) == 1


@METERED
@pytest.mark.parametrize("seed", range(4))
def test_tiles_move_what_the_formula_says(seed):
    (m, n, k), tile = drawn(seed), small_tile(seed)
    a, b, bias = matrix(1, m, k, torch.float32), matrix(2, k, n, torch.float32), matrix(3, 1, n, torch.float32)[0]
    with Meter() as meter:
        found = tiled_matmul(a, b, bias, "gelu", tile)
    assert_metered(meter, tiled_cost(m, n, k, tile, 4, 4, bias_size=4))
    assert bytes_floor([a, b, bias], [found]).problem(meter.report()) == ""
    with Meter() as meter:
        split_k_matmul(a, b, bias, "relu", tile, parts=3)
    assert_metered(meter, split_k_cost(m, n, k, tile, 3, 4, bias_size=4))


@METERED
@pytest.mark.parametrize("seed", range(3))
def test_the_copy_engine_moves_as_much(seed):
    (m, n, k), tile = drawn(seed, multiple=8), Tile(32, 32, 32, group=2)
    a, b = matrix(1, m, k, torch.float16), matrix(2, n, k, torch.float16)
    with Meter() as meter:
        persistent_matmul(a, b.T, tile=tile)
    assert_metered(meter, tiled_cost(m, n, k, tile, 2, 2))


def assert_metered(meter, cost):
    report = meter.report()
    assert meter.findings == ()
    assert (report["loaded"], report["stored"], report["dot_flops"]) == (cost.loaded, cost.stored, cost.dot_flops)


@triton.jit
def places_kernel(out, down, across, GROUP: triton.language.constexpr):  # noqa: N803
    number = triton.language.program_id(0)
    i, j = numbered(number, down, across, GROUP)
    triton.language.store(out + 2 * number, i)
    triton.language.store(out + 2 * number + 1, j)


@pytest.mark.parametrize(("down", "across", "group"), [(5, 3, 2), (1, 7, 8), (8, 1, 3), (7, 4, 8), (6, 6, 1)])
def test_every_tile_is_taken_once_and_kernels_count_as_we_do(down, across, group):
    ours = [place(number, down, across, group) for number in range(down * across)]
    assert sorted(ours) == [(i, j) for i in range(down) for j in range(across)]
    out = torch.empty(down * across, 2, dtype=torch.int32, device=DEVICE)
    places_kernel[(down * across,)](out, down, across, GROUP=group)
    assert out.tolist() == [list(one) for one in ours]


def test_groups_of_rows_need_less_of_the_matrices_at_a_time():
    """132 tiles of a 64 × 32 field: in groups of 8 they cover 8 rows and 17 columns of tiles, along rows 5 and all 32."""
    grouped, along = (wave_bytes(8192, 8192, 8192, Tile(128, 256, 64, group=g), 2, 132) for g in (8, 1))
    assert grouped == 2 * 8192 * (8 * 128 + 17 * 256)
    assert along == 2 * 8192 * (5 * 128 + 32 * 256)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_autograds(activation, dtype, held):
    m, n, k = drawn(len(activation))
    leaves = [matrix(1, m, k, dtype), matrix(2, k, n, dtype, "columns"), matrix(3, 1, n, dtype)[0]]
    cotangent = matrix(4, m, n, dtype)
    ours, twins = ([x.detach().clone().requires_grad_() for x in leaves] for _ in range(2))
    found = torch.autograd.grad(matmul(*ours, activation), ours, cotangent)
    expected = torch.autograd.grad(matmul_reference(*twins, activation), twins, cotangent)
    for one, other in zip(found, expected, strict=True):
        scale = float(other.abs().max())
        held(
            "matmul, gradients",
            "torch.autograd",
            one.float().cpu() / scale,
            other.float().cpu() / scale,
            2 * TOLERANCE[dtype],
        )


@pytest.mark.parametrize("method", METHODS)
def test_methods_agree(method, held):
    a, b = matrix(1, 40, 128, torch.float16), matrix(2, 128, 48, torch.float16)
    held(
        "matmul, by each method",
        "torch",
        matmul(a, b, None, "relu", method).float().cpu(),
        matmul_reference(a, b, None, "relu").float().cpu(),
        1e-2,
    )


def test_it_is_an_operator_for_compilers():
    a, b, bias = matrix(1, 9, 20, torch.float32), matrix(2, 20, 7, torch.float32), matrix(3, 1, 7, torch.float32)[0]
    arguments = [x.requires_grad_() for x in (a, b, bias)]
    torch.library.opcheck(torch.ops.mlsys.matmul.default, (*arguments, "silu", "auto"))

    def loss(a, b, bias):
        return matmul(torch.sin(a), b, bias, "gelu").square().sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    found, expected = (torch.autograd.grad(f(*arguments), arguments) for f in (compiled, loss))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_sum_of_nothing_is_the_bias():
    empty = torch.empty(5, 0, device=DEVICE)
    assert torch.equal(tiled_matmul(empty, empty.T, torch.ones(5, device=DEVICE)), torch.ones(5, 5, device=DEVICE))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(2, 3), torch.ones(2, 3)), "is no product"),
        ((torch.ones(2, 3), torch.ones(3, 4), torch.ones(3)), "does not fit 4 columns"),
        ((torch.ones(2, 3), torch.ones(3, 4).half()), "give one of float32, float16, bfloat16"),
        ((torch.ones(2, 3), torch.ones(3, 4), None, "tanh"), "There is no 'tanh'"),
        ((torch.ones(2, 3), torch.ones(3, 4), None, "none", "magic"), "There is no 'none' by 'magic'"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        matmul(*arguments)


def test_the_copy_engine_wants_sixteen_bytes():
    a = torch.ones(8, 12, dtype=torch.float16, device=DEVICE)
    assert not fits_tma(a)
    assert fits_tma(a.T.contiguous())
    assert fits_tma(a.T.contiguous().T)
    assert not fits_tma(torch.ones(16, 32, device=DEVICE)[::2, ::2])
    with pytest.raises(ValueError, match="do not suit the copy engine"):
        matmul(a, a.T.contiguous(), method="persistent")
