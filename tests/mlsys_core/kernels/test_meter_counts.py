"""What honest kernels move and compute is counted to the byte, against closed forms, and nothing is found wrong with them."""

from __future__ import annotations

import random

import pytest

from mlsys_core.kernels.meter import Meter, bytes_floor
from tests.mlsys_core.kernels import sample_kernels as k

torch = k.torch
SEEDS = range(50)


def drawn(seed: int) -> tuple[torch.Generator, random.Random]:
    return torch.Generator().manual_seed(seed), random.Random(seed)


def lines_of(starts: range, length: int, unit: int) -> int:
    """How many units of memory runs of `length` float32 touch that start at these elements."""
    return sum((4 * (s + length) - 1) // unit - 4 * s // unit + 1 for s in starts)


@pytest.mark.parametrize("seed", SEEDS)
def test_vector_add(seed):
    rng, draw = drawn(seed)
    n, block = draw.randint(1, 700), draw.choice([16, 64, 128])
    x, y = k.matrix(rng, n), k.matrix(rng, n)
    with Meter() as meter:
        out = torch.empty(n)
        k.add[(k.blocks(n, block),)](x, y, out, n, BLOCK=block)
    assert torch.equal(out, x + y)
    assert meter.findings == ()
    report = meter.report()
    assert (report["loaded"], report["stored"], report["atomic"]) == (8 * n, 4 * n, 0)
    assert report["elementwise_flops"] == k.blocks(n, block) * block
    starts = range(0, n, block)
    for name, unit in (("lines", 128), ("sectors", 32)):
        last = lines_of(starts[-1:], n - starts[-1], unit)
        assert report["arguments"]["add.x_ptr"][name] == lines_of(starts[:-1], block, unit) + last


@pytest.mark.parametrize("seed", SEEDS)
def test_copy_of_a_view_with_strides(seed):
    rng, draw = drawn(seed)
    rows, columns, step = draw.randint(1, 9), draw.randint(1, 70), draw.randint(1, 3)
    x = k.matrix(rng, rows + 2, (columns + 3) * step)[1 : rows + 1, : columns * step : step]
    with Meter() as meter:
        out = torch.empty(rows, columns)
        k.copy[(rows,)](x, out, rows, columns, *x.stride(), BLOCK=32)
    assert torch.equal(out, x)
    assert meter.findings == ()
    assert meter.report()["loaded"] == meter.report()["stored"] == 4 * rows * columns


@pytest.mark.parametrize("seed", SEEDS)
def test_transpose(seed):
    rng, draw = drawn(seed)
    rows, columns = draw.randint(1, 60), draw.randint(1, 60)
    x = k.matrix(rng, rows, columns)
    with Meter() as meter:
        out = torch.empty(columns, rows)
        k.transpose[(k.blocks(rows, 16), k.blocks(columns, 16))](x, out, rows, columns, TILE=16)
        again = torch.empty(columns, rows)
        k.transpose_by_rows[(rows,)](x, again, rows, columns, BLOCK=64)
    assert torch.equal(out, x.T)
    assert torch.equal(again, x.T)
    assert meter.findings == ()
    assert meter.report()["launches"] == 2
    assert bytes_floor([x, x], [out, again]).problem(meter.report()) == ""


@pytest.mark.parametrize("seed", SEEDS)
def test_row_softmax(seed):
    rng, draw = drawn(seed)
    rows, columns = draw.randint(1, 8), draw.randint(1, 128)
    x = k.matrix(rng, rows, columns)
    with Meter() as meter:
        out = torch.empty_like(x)
        k.softmax[(rows,)](x, out, columns, BLOCK=128)
    torch.testing.assert_close(out, x.softmax(1))
    assert meter.findings == ()
    # two reductions of 128 and three operations on each element
    assert meter.report()["elementwise_flops"] == rows * (2 * 127 + 3 * 128)
    assert meter.report()["loaded"] == meter.report()["stored"] == x.nbytes


@pytest.mark.parametrize("seed", SEEDS)
def test_tiled_matmul(seed):
    rng, draw = drawn(seed)
    m, n, kk = (draw.randint(1, 70) for _ in range(3))
    bm, bn, bk = (draw.choice([16, 32]) for _ in range(3))
    a, b = k.matrix(rng, m, kk), k.matrix(rng, kk, n)
    with Meter() as meter:
        c = torch.empty(m, n)
        k.matmul[(k.blocks(m, bm), k.blocks(n, bn))](a, b, c, m, n, kk, BM=bm, BN=bn, BK=bk)
    torch.testing.assert_close(c, a @ b, rtol=1e-4, atol=1e-4)
    assert meter.findings == ()
    report = meter.report()
    assert report["arguments"]["matmul.a_ptr"]["loaded"] == k.blocks(n, bn) * a.nbytes
    assert report["arguments"]["matmul.b_ptr"]["loaded"] == k.blocks(m, bm) * b.nbytes
    assert report["stored"] == c.nbytes
    assert report["dot_flops"] == 2 * k.blocks(m, bm) * bm * k.blocks(n, bn) * bn * k.blocks(kk, bk) * bk


@pytest.mark.parametrize(("m", "n", "kk"), [(32, 64, 96), (64, 16, 32)])
def test_a_matmul_whose_tiles_fit_costs_2mnk(m, n, kk):
    a, b, c = torch.ones(m, kk), torch.ones(kk, n), torch.zeros(m, n)
    with Meter() as meter:
        k.matmul[(m // 16, n // 16)](a, b, c, m, n, kk, BM=16, BN=16, BK=16)
    assert meter.dot_flops == 2 * m * n * kk


@pytest.mark.parametrize("seed", SEEDS)
def test_reduction_with_atomics(seed):
    rng, draw = drawn(seed)
    n = draw.randint(1, 500)
    x = torch.randint(-9, 9, (n,), generator=rng).float()
    with Meter() as meter:
        out = torch.zeros(1)
        k.total[(k.blocks(n, 64),)](x, out, n, BLOCK=64)
    assert out.item() == x.sum().item()
    assert meter.findings == ()
    assert meter.report()["atomic"] == 4 * k.blocks(n, 64)
    assert meter.report()["elementwise_flops"] == 63 * k.blocks(n, 64)


def test_a_tensor_descriptor_reads_what_is_there_and_no_more():
    x = torch.arange(20.0 * 24).reshape(20, 24)
    with Meter() as meter:
        out = torch.empty(20, 24)
        k.described_copy[(2, 2)](x, out, 20, 24, TILE=16)
    assert torch.equal(out, x)
    assert meter.findings == ()
    assert meter.report()["loaded"] == meter.report()["stored"] == x.nbytes


def test_a_transpose_by_rows_touches_a_line_for_each_element():
    x = torch.zeros(64, 64)
    with Meter() as meter:
        out = torch.empty(64, 64)
        k.transpose_by_rows[(64,)](x, out, 64, 64, BLOCK=64)
        k.transpose[(2, 2)](x, out, 64, 64, TILE=32)
    by_rows, tiled = (meter.traffic[name, "out_ptr"] for name in ("transpose_by_rows", "transpose"))
    assert by_rows.stored == tiled.stored == x.nbytes
    assert (by_rows.lines, by_rows.sectors) == (64 * 64, 64 * 64)
    assert (tiled.lines, tiled.sectors) == (x.nbytes // 128, x.nbytes // 32)


def test_counts_do_not_depend_on_the_heap():
    def report(spare: int) -> dict:
        room = torch.empty(spare, dtype=torch.uint8)
        x = torch.ones(3, 333)[1:]
        with Meter() as meter:
            out = torch.empty_like(x)
            k.add_one_too_far[(k.blocks(666, 64),)](x, out, 666, BLOCK=64)
        assert room.numel() == spare
        return meter.report()

    reports = [report(spare) for spare in (1, 40, 5000, 300_000)]
    assert all(one == reports[0] for one in reports)
    assert len(reports[0]["findings"]) == 1


def test_traffic_of_half_precision_is_half():
    x = torch.ones(100, dtype=torch.float16)
    with Meter() as meter:
        out = torch.empty_like(x)
        k.add[(2,)](x, x, out, 100, BLOCK=64)
    assert meter.findings == ()
    assert (meter.report()["loaded"], meter.report()["stored"]) == (400, 200)


def test_a_report_below_what_is_compulsory_is_told_from_one_that_may_be_true():
    x, y, out = (torch.ones(100) for _ in range(3))
    with Meter() as meter:
        k.add[(2,)](x, y, out, 100, BLOCK=64)
    floor = bytes_floor([x.numpy(), y.numpy()], [out.numpy()])
    assert (floor.loaded, floor.stored) == (800, 400)
    honest = meter.report()
    assert floor.problem(honest) == ""
    assert "799 bytes loaded" in floor.problem(honest | {"loaded": 799})
    assert "0 bytes stored" in floor.problem(honest | {"stored": 0})
    assert floor.problem(honest | {"loaded": 0, "stored": 0, "atomic": 800}) == ""
