"""What the machine's compiler makes of a schedule gives the bits that the definition gives."""

from __future__ import annotations

import ctypes
from ctypes.util import find_library

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.build import build
from mlsys_core.compiler.c_text import lanes
from mlsys_core.compiler.codegen_c import generate
from mlsys_core.compiler.expressions import Call
from mlsys_core.compiler.interpreter import reference
from mlsys_core.compiler.ir import compute, placeholder
from mlsys_core.compiler.schedule import Schedule
from tests.mlsys_core.compiler.draws import definitions, inputs_of, product, schedules


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_generated_code_gives_the_bits_of_the_definition(folder, data, seed):
    """Six schedules a library; whole numbers, so that sums are exact in floating point too."""
    drawn = [data.draw(schedules(data.draw(definitions()))) for _ in range(6)]
    kernels = build(*(schedule.lower(f"kernel_{n}") for n, schedule in enumerate(drawn)), folder=folder)
    for schedule, kernel in zip(drawn, kernels, strict=True):
        inputs = inputs_of(schedule, seed)
        want = reference(schedule.outputs[0], inputs)
        assert (kernel(**inputs)["C"] + 0).tobytes() == (want + 0).tobytes(), (schedule.steps, kernel.source)


def panels(m: int, k: int, n: int, dtype: str) -> Schedule:
    """A product as fast ones are made: blocks for caches, packed panels, a held block of rows and lanes, remainders everywhere."""
    schedule = Schedule(product(m, k, n, dtype))
    c = schedule["C"]
    c.split("j", 24), c.split("k", 8), c.split("i", 4), c.split("j.1", 16)
    c.reorder("j.0", "k.0", "i.0", "j.1.0", "k.1", "i.1", "j.1.1")
    c.pack("B", "i.0"), c.pack("A", "j.1.0")
    c.unroll("i.1"), c.vectorize("j.1.1"), c.hold("k.1")
    return schedule


def test_a_packed_product_with_every_kind_of_tail(folder, held):
    """Bits for whole numbers, rounding for random floats: the sum of each element is in order, but by fused operations."""
    rng = np.random.default_rng(0)
    m, k, n = 11, 9, 43
    programs = [panels(m, k, n, dtype).lower(f"product_{dtype}") for dtype in ("float32", "int32")]
    for kernel in build(*programs, folder=folder):
        dtype = kernel.program.outputs[0].dtype
        a, b = rng.integers(-9, 9, (m, k)).astype(dtype), rng.integers(-9, 9, (k, n)).astype(dtype)
        assert kernel(A=a, B=b)["C"].tobytes() == (a @ b).tobytes()
        if dtype.startswith("float"):
            a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
            scale = np.abs(a) @ np.abs(b)
            tolerance = k * np.finfo(dtype).eps
            held(f"compiled matmul, {dtype}", "numpy", kernel(A=a, B=b)["C"] / scale, a @ b / scale, tolerance)


def test_lanes_and_variables_are_in_the_text_and_not_left_to_chance():
    source = generate(panels(11, 9, 43, "float32").lower(), vector_bytes=64)
    assert "floatx16 C_held_3_0_x16;" in source
    assert "floatx2 C_held_2_0_x2;" in source
    assert "float C_held_2_2;" in source
    assert "float *B_pack = B_pack_memory;" in source
    assert "vector_size(64)" not in generate(panels(11, 9, 43, "float32").lower(), vector_bytes=32)


@pytest.mark.parametrize("extent", range(1, 65))
def test_lanes_cover_a_loop_once_in_powers_of_two(extent):
    pieces = list(lanes(extent, 16))
    assert [i for start, width in pieces for i in range(start, start + width)] == list(range(extent))
    assert all(width in {1, 2, 4, 8, 16} and start % width == 0 for start, width in pieces)


def test_lanes_read_and_write_with_every_stride(folder):
    """A transposed read and a transposed write gather and scatter; one element goes to all lanes; a condition is taken lane by lane."""
    a = placeholder("A", (13, 13), "int32")
    turned = Schedule(compute("C", (13, 13), lambda i, j: a[j, i] - a[i, i]))
    turned["C"].vectorize("j")
    by_column = Schedule(compute("C", (13, 13), lambda i, j: a[i, j] * 3))
    by_column["C"].reorder("j", "i"), by_column["C"].vectorize("i")
    padded = Schedule(
        ops.conv2d(
            placeholder("A", (1, 1, 13, 13), "int32"), placeholder("B", (1, 1, 3, 3), "int32"), padding=2, name="C"
        )
    )
    padded["C"].reorder("n", "o", "h", "c", "p", "q", "w"), padded["C"].vectorize("w")
    every = [turned, by_column, padded]
    for schedule, kernel in zip(
        every, build(*(s.lower(f"strides_{n}") for n, s in enumerate(every)), folder=folder), strict=True
    ):
        inputs = inputs_of(schedule, 5)
        np.testing.assert_array_equal(kernel(**inputs)["C"], reference(schedule.outputs[0], inputs))


def test_functions_not_a_number_and_the_ends_of_the_integers(folder, held):
    x = placeholder("X", (4, 11), "float64")
    smooth = Schedule(
        ops.elementwise(
            "Y", lambda e: Call("log", Call("abs", e)) * Call("sqrt", Call("abs", e)) + ops.tanh(ops.exp(e)), x
        )
    )
    smooth["Y"].vectorize("j")
    relu = Schedule(ops.elementwise("Y", lambda e: ops.maximum(e, 0.1), x))
    relu["Y"].vectorize("j")
    most = Schedule(ops.row_reduce("max", placeholder("X", (4, 11), "int64"), "Y"))
    most["Y"].hold("k")
    rows = Schedule(ops.row_reduce("max", x, "Y"))
    one, two, three, four = build(*(s.lower(f"f_{n}") for n, s in enumerate((smooth, relu, most, rows))), folder=folder)
    v = np.random.default_rng(2).standard_normal((4, 11))
    want = np.log(np.abs(v)) * np.sqrt(np.abs(v)) + np.tanh(np.exp(v))
    held("compiled functions, float64", "numpy", one(X=v)["Y"], want, 1e-14)
    v[1, 3], v[2, 10] = np.nan, np.inf
    np.testing.assert_array_equal(two(X=v)["Y"], np.maximum(v, 0.1))
    np.testing.assert_array_equal(four(X=v)["Y"], v.max(axis=1))
    least = np.full((4, 11), np.iinfo(np.int64).min)
    np.testing.assert_array_equal(three(X=least)["Y"], least[:, 0])


def test_whole_numbers_wrap_around_as_numpys_do(folder):
    big = Schedule(ops.row_reduce("*", placeholder("X", (3, 40), "int32"), "Y"))
    x = np.random.default_rng(1).integers(2, 9, (3, 40)).astype(np.int32)
    (kernel,) = build(big.lower("wrapped"), folder=folder)
    np.testing.assert_array_equal(kernel(X=x)["Y"], np.prod(x, axis=1, dtype=np.int32))


@pytest.fixture
def four_threads():
    """Four threads in what OpenMP runs, whatever the environment says."""
    openmp = ctypes.CDLL(find_library("gomp") or "libgomp.so.1")
    before = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(4)
    yield
    openmp.omp_set_num_threads(before)


def test_threads_with_buffers_of_their_own(folder, held, four_threads):
    """Rows in parallel with a softmax's producers inside; blocks of a product in parallel with a panel packed outside and one inside."""
    rows = Schedule(ops.softmax(placeholder("X", (370, 19), "float64"))[-1])
    for name in ("Y_sum", "Y_exp", "Y_max"):
        rows.compute_at(name, "Y", "j")
    rows["Y"].parallel("i")
    blocks = panels(11, 9, 43, "int32")
    blocks["C"].parallel("i.0")
    first, second = build(rows.lower("rows"), blocks.lower("blocks"), folder=folder)
    assert "#pragma omp parallel for" in first.source
    # a race shows only where threads meet within a row, so the text has to say it too
    memory = [line for line in (first.source + second.source).splitlines() if "_memory[" in line]
    assert memory
    assert all("static _Thread_local" in line for line in memory)
    assert second.source.index("*B_pack = B_pack_memory") < second.source.index("#pragma omp parallel for")
    x = 10 * np.random.default_rng(0).standard_normal((370, 19))
    for _ in range(5):
        held("compiled softmax, float64", "scipy", first(X=x)["Y"], softmax(x, axis=1), 1e-14)
    inputs = inputs_of(blocks, 9)
    for _ in range(20):
        np.testing.assert_array_equal(second(**inputs)["C"], inputs["A"] @ inputs["B"])


def test_a_fused_chain_and_an_epilogue_fill_no_workspace(folder):
    x, bias = placeholder("X", (9, 7), "float32"), placeholder("bias", (7,), "float32")
    chain = ops.elementwise("Y", lambda e: e - 2, ops.elementwise("P", lambda e: e * e, x))
    schedule = Schedule(chain)
    schedule.inline("P")
    schedule["Y"].vectorize("j")
    product_of = ops.matmul(x, placeholder("W", (7, 7)), "P")
    layer = Schedule(compute("Z", (9, 7), lambda i, j: ops.maximum(product_of[i, j] + bias[j], 0)))
    layer.fuse_epilogue("Z")
    stage = layer["Z"]
    stage.reorder("i", "k", "j"), stage.vectorize("j"), stage.hold("k")
    one, two = build(schedule.lower("chain"), layer.lower("layer"), folder=folder)
    assert one.program.workspaces == two.program.workspaces == ()
    rng = np.random.default_rng(3)
    v, w, b = (rng.integers(-4, 5, s).astype(np.float32) for s in ((9, 7), (7, 7), (7,)))
    np.testing.assert_array_equal(one(X=v)["Y"], v * v - 2)
    np.testing.assert_array_equal(two(X=v, W=w, bias=b)["Z"], np.maximum(v @ w + b, 0))
