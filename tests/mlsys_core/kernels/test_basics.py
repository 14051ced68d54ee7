"""The basics against torch and numpy: values, gradients, bytes, lines, and the model of banks against brute force."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from mlsys_core.kernels.basics import banks, reduction, scan, transpose, vector
from mlsys_core.kernels.basics import histogram as histograms
from mlsys_core.kernels.meter import Meter
from tests.mlsys_core.kernels.operators import TOLERANCE, both, compiled, drawn, same_twice
from tests.mlsys_core.kernels.where import DEVICE, ON_GPU, SCALE, generator

metered = pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")
SIZES = [1, 64, 333 * SCALE]
CASES = {
    "add": (vector.add, lambda x, y: x + y, lambda n: [(n,), (n,)]),
    "copy": (vector.copy, lambda x: x.clone(), lambda n: [(n,)]),
    "transpose": (transpose.transpose, lambda x: x.T, lambda n: [(n % 90 + 1, n // 7 + 1)]),
    "total": (reduction.total, lambda x: x.sum(), lambda n: [(n,)]),
    "total by atomics": (lambda x: reduction.total(x, atomic=True), lambda x: x.sum(), lambda n: [(n,)]),
    "cumulative_sum": (scan.cumulative_sum, lambda x: x.cumsum(0), lambda n: [(n,)]),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_torch(name, size, held):
    ours, theirs, shapes = CASES[name]
    found, expected = both(ours, theirs, drawn(size, *shapes(size)), size)
    held(name, "torch in float64", found, expected, TOLERANCE[torch.float32] * (1 + size**0.5 / 10))


@pytest.mark.parametrize("name", [name for name in CASES if "atomics" not in name])
def test_two_calls_agree_to_the_bit(name):
    ours, _, shapes = CASES[name]
    assert same_twice(ours, drawn(3, *shapes(500 * SCALE)), 3)


@pytest.mark.parametrize("name", ["add", "copy", "transpose", "total", "cumulative_sum"])
def test_torch_accepts_the_operators(name):
    ours, theirs, shapes = CASES[name]
    inputs = drawn(4, *shapes(100))
    arguments = (*inputs, False) if name == "total" else tuple(inputs)
    torch.library.opcheck(getattr(torch.ops.mlsys, name).default, arguments)
    if name == "cumulative_sum":
        torch.library.opcheck(torch.ops.mlsys.histogram.default, (inputs[0].int(), 5))
        found, expected = both(compiled(lambda x: ours(x * 2) + 1), lambda x: theirs(x * 2) + 1, inputs, 4)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4, check_dtype=False)


def test_strides_and_nothing():
    x = torch.arange(60.0, device=DEVICE)
    assert torch.equal(vector.copy(x[5::7]), x[5::7])
    assert torch.equal(vector.add(x[::2], x[1::2]), x[::2] + x[1::2])
    square = x.view(6, 10)[:, ::3]
    assert torch.equal(transpose.transpose(square), square.T)
    assert torch.equal(transpose.transpose(square.T), square)
    empty = x[:0]
    for ours in (vector.copy, scan.cumulative_sum, lambda one: vector.add(one, one)):
        assert ours(empty).shape == (0,)
    assert transpose.transpose(empty.view(0, 4)).shape == (4, 0)
    assert reduction.total(empty).item() == 0.0


def test_what_cannot_be_is_said():
    x = torch.zeros(4, 4, device=DEVICE)
    for ours in (vector.copy, scan.cumulative_sum):
        with pytest.raises(ValueError, match="one axis, not 2"):
            ours(x)
    with pytest.raises(ValueError, match="two axes, not 1"):
        transpose.transpose(x[0])
    with pytest.raises(ValueError, match="give two alike"):
        vector.add(x, x.half())
    with pytest.raises(ValueError, match="give int32 values"):
        histograms.histogram(x, 5)
    with pytest.raises(ValueError, match="1 to 4096 bins"):
        histograms.histogram(x.int(), 5000)


def test_a_sum_in_float32_of_halves_does_not_stop_growing():
    ones = torch.ones(5000, dtype=torch.float16, device=DEVICE)
    assert reduction.total(ones).item() == 5000.0
    assert scan.cumulative_sum(ones.float())[-1].item() == 5000.0


@pytest.mark.parametrize("bins", [1, 7, 64, 100])
@pytest.mark.parametrize("size", [1, 300 * SCALE])
def test_a_histogram_is_that_of_numpy_whatever_else_is_in_it(bins, size):
    x = torch.randint(-3, bins + 9, (size,), generator=generator(size + bins), device=DEVICE, dtype=torch.int32)
    found = histograms.histogram(x, bins)
    edges = np.arange(bins + 1) - 0.5
    assert found.tolist() == np.histogram(x.cpu().numpy(), edges)[0].tolist()
    by_elements = torch.zeros_like(found)
    blocks = -(-size // 64)
    histograms.histogram_by_elements_kernel[(blocks,)](x, by_elements, size, bins, BLOCK=64)
    assert torch.equal(by_elements, found)


@metered
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("size", [1, 64, 1000])
def test_bytes_are_those_of_the_formulas(size, dtype):
    (x,) = (one.detach() for one in drawn(size, (size,), dtype=dtype))
    square = torch.zeros(size // 20 + 1, size // 30 + 1, dtype=dtype)
    item, programs = x.element_size(), reduction.sum_programs(size, x.device)
    for run, expected in (
        (lambda: vector.add(x, x), vector.add_bytes(size, item)),
        (lambda: vector.copy(x), vector.copy_bytes(size, item)),
        (lambda: transpose.transpose(square), transpose.transpose_bytes(*square.shape, item)),
        (lambda: reduction.total(x), reduction.sum_bytes(size, item, programs)),
        (lambda: reduction.total(x, atomic=True), reduction.sum_bytes(size, item, programs, atomic=True)),
        (lambda: scan.cumulative_sum(x), scan.scan_bytes(size, item)),
    ):
        with Meter() as meter:
            run()
        report = meter.report()
        assert report["loaded"] + report["stored"] + report["atomic"] == expected
        assert meter.findings == ()


@metered
def test_bytes_of_a_histogram_are_those_of_the_formula():
    for size, bins in ((300, 10), (1000, 64)):
        x = torch.randint(bins, (size,), dtype=torch.int32)
        with Meter() as meter:
            histograms.histogram(x, bins)
        programs = histograms.histogram_programs(size, x.device)
        report = meter.report()
        assert report["loaded"] + report["atomic"] == histograms.histogram_bytes(size, bins, programs)
        assert meter.findings == ()


@metered
@pytest.mark.parametrize("step", [1, 2, 3, 32, 50])
def test_lines_of_a_stride_are_those_that_the_meter_counts(step):
    for size in (50, 200):
        x = torch.zeros(size * step)[::step]
        with Meter() as meter:
            vector.copy(x)
        traffic = meter.traffic["copy_kernel", "x_ptr"]
        assert traffic.lines == vector.lines(size, 4, step)
        assert traffic.loaded == 4 * size


@metered
def test_a_transpose_by_rows_writes_a_line_an_element():
    x = torch.zeros(64, 96)
    with Meter() as meter:
        out = transpose.transpose(x)
        transpose.transpose_by_rows_kernel[(64,)](x, out, 64, 96, 96, 1, TILE=32)
    tiled, by_rows = (meter.traffic[name, "out_ptr"] for name in ("transpose_kernel", "transpose_by_rows_kernel"))
    assert tiled.lines == transpose.transpose_lines(64, 96, 4)
    assert by_rows.lines == transpose.transpose_lines(64, 96, 4, by_rows=True)
    assert tiled.stored == by_rows.stored == x.nbytes


def served(words):
    """By brute force: in each step every bank hands out one word, to all that want it."""
    waiting, taken = set(words), 0
    while waiting:
        free = {}
        for word in sorted(waiting):
            free.setdefault(word % 32, word)
        waiting -= set(free.values())
        taken += 1
    return taken


def test_steps_of_an_access_are_those_of_banks_that_serve_one_word_at_a_time():
    draw = random.Random(5)
    for _ in range(200):
        words = [
            draw.randrange(draw.choice([8, 64, 500])) * draw.choice([1, 2, 33]) for _ in range(draw.randint(0, 32))
        ]
        assert banks.steps(words) == served(words)
    assert banks.steps([7] * 32) == 1  # one word for all is read once


def test_a_padded_row_or_a_swizzle_frees_the_column():
    for stride in range(1, 130):
        assert banks.steps(banks.column_words(3, stride)) == np.gcd(stride, 32)
    assert banks.transpose_steps() == 32 * (1 + 32)
    assert banks.transpose_steps(padding=1) == 64
    kept = {word for column in range(32) for word in banks.swizzled_column_words(column)}
    assert kept == set(range(1024))
    assert all(banks.steps(banks.swizzled_column_words(column)) == 1 for column in range(32))
    assert all(banks.steps(row * 32 + (column ^ row) for column in range(32)) == 1 for row in range(32))
