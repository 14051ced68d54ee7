"""Triton kernels of random schedules compute what numpy computes, stay inside their tensors, and read nothing that has no value."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsys_core.compiler import codegen_triton
from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.interpreter import reference
from mlsys_core.compiler.ir import compute, placeholder
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.schedule import Schedule
from mlsys_core.kernels.meter import Meter
from tests.mlsys_core.compiler.draws import inputs_of, product
from tests.support import require

if find_spec("triton") is None or find_spec("torch") is None:
    require("triton", "torch or triton is not installed (make setup installs both)")

import torch

BRIEF = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TILES = st.sampled_from([8, 16, 32])


def results(schedule: Schedule, inputs: dict[str, np.ndarray], folder) -> list[np.ndarray]:
    """What the module returns; the meter has found nothing wrong with how."""
    module = codegen_triton.load(codegen_triton.write(schedule, folder))
    with Meter() as meter:
        found = module.run(*(torch.from_numpy(inputs[name]) for name in schedule.inputs))
    assert meter.findings == ()
    return [tensor.numpy() for tensor in found]


def tiled(schedule: Schedule, name: str, i: int, j: int, k: int) -> None:
    stage = schedule[name]
    stage.split("i", i), stage.split("j", j), stage.split("k", k)
    stage.reorder("i.0", "j.0", "k.0", "i.1", "j.1", "k.1")
    stage.parallel("i.0"), stage.parallel("j.0")


@BRIEF
@given(shape=st.tuples(*[st.integers(1, 40)] * 3), sides=st.tuples(TILES, TILES, TILES), real=st.booleans())
def test_products_with_remainders_on_every_side(tmp_path, shape, sides, real):
    """By `tl.dot` where tiles are large enough and real, otherwise by a folded tile."""
    schedule = Schedule(product(*shape, "float32" if real else "int32"))
    tiled(schedule, "C", *sides)
    inputs = inputs_of(schedule, sum(shape))
    (found,) = results(schedule, inputs, tmp_path)
    np.testing.assert_array_equal(found, inputs["A"] @ inputs["B"])
    assert ("tl.dot" in codegen_triton.generate(schedule)) == (real and min(sides) >= 16)


@BRIEF
@given(m=st.integers(1, 9), n=st.integers(1, 50), side=TILES)
def test_softmax_in_four_kernels(tmp_path, m, n, side):
    schedule = Schedule(ops.softmax(placeholder("X", (m, n)))[-1])
    for name, stage in schedule.stages.items():
        along = "k" if "k" in stage.order else "j"
        stage.split(along, side)
        stage.parallel("i")
        if along == "j":
            schedule[name].parallel("j.0")
    x = 5 * np.random.default_rng(n).standard_normal((m, n)).astype(np.float32)
    (found,) = results(schedule, {"X": x}, tmp_path)
    np.testing.assert_allclose(found, torch.from_numpy(x).softmax(1).numpy(), atol=1e-6)


def test_a_layer_with_its_epilogue_and_a_chain_in_one_kernel(tmp_path, held):
    a, b, bias = placeholder("A", (21, 18)), placeholder("B", (18, 35)), placeholder("bias", (35,))
    p = ops.matmul(a, b, "P")
    shifted = ops.elementwise("S", lambda e: e * 0.5, compute("Q", (21, 35), lambda i, j: p[i, j] + bias[j]))
    schedule = Schedule(ops.elementwise("Y", lambda e: ops.maximum(ops.tanh(e), -0.25), shifted))
    schedule.inline("Q"), schedule.inline("S"), schedule.fuse_epilogue("Y")
    tiled(schedule, "Y", 16, 16, 16)
    assert codegen_triton.generate(schedule).count("@triton.jit") == 1
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(t.shape).astype(np.float32) for name, t in schedule.inputs.items()}
    (found,) = results(schedule, inputs, tmp_path)
    want = np.maximum(np.tanh((inputs["A"] @ inputs["B"] + inputs["bias"]) * np.float32(0.5)), -0.25)
    held("Triton matmul with epilogue, float32", "numpy", found, want, 2e-6)


def test_fused_grids_nested_blocks_and_a_batch(tmp_path):
    """A loop over batches, one fused of two, a block within a block that does not divide it; and a reduction of whole numbers."""
    a, b = placeholder("A", (3, 24, 9)), placeholder("B", (3, 9, 13))
    schedule = Schedule(ops.batched_matmul(a, b, "C"))
    c = schedule["C"]
    c.split("i", 12), c.split("i.1", 8), c.split("j", 16), c.split("k", 4)
    c.reorder("g", "i.0", "i.1.0", "j.0", "k.0", "i.1.1", "j.1", "k.1")
    c.fuse("g", "i.0")
    for loop in ("g_i.0", "i.1.0", "j.0"):
        c.parallel(loop)
    inputs = inputs_of(schedule, 4)
    np.testing.assert_array_equal(results(schedule, inputs, tmp_path)[0], inputs["A"] @ inputs["B"])
    least = Schedule(ops.row_reduce("min", placeholder("X", (5, 19), "int32"), "Y"))
    least["Y"].split("i", 2), least["Y"].split("k", 8)
    least["Y"].reorder("i.0", "k.0", "i.1", "k.1"), least["Y"].parallel("i.0")
    x = np.random.default_rng(1).integers(-99, 99, (5, 19)).astype(np.int32)
    np.testing.assert_array_equal(results(least, {"X": x}, tmp_path)[0], x.min(axis=1))


def test_a_convolution_without_padding(tmp_path):
    schedule = Schedule(ops.conv2d(placeholder("A", (1, 2, 7, 9)), placeholder("B", (3, 2, 2, 3)), stride=2, name="C"))
    c = schedule["C"]
    c.split("w", 4), c.split("o", 4)
    c.reorder("n", "h", "o.0", "w.0", "c", "p", "q", "o.1", "w.1")
    c.fuse("n", "h")
    c.parallel("n_h"), c.parallel("o.0"), c.parallel("w.0")
    inputs = inputs_of(schedule, 2)
    np.testing.assert_array_equal(results(schedule, inputs, tmp_path)[0], reference(schedule.outputs[0], inputs))


def refused(schedule: Schedule, words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        codegen_triton.generate(schedule)


def test_what_has_no_form_in_triton_is_refused():
    refused(Schedule(product(9, 9, 9, "float32")), "C has no tile")
    odd = Schedule(product(9, 9, 9, "float32"))
    tiled(odd, "C", 16, 12, 16)
    refused(odd, "j.1 of C has 12 places")
    serial = Schedule(product(9, 9, 9, "float32"))
    serial["C"].split("k", 4), serial["C"].parallel("i")
    refused(serial, "have to be parallel and outermost")
    double = Schedule(product(9, 9, 9, "float64"))
    tiled(double, "C", 16, 16, 16)
    refused(double, "C is float64")
    product_of_rows = Schedule(ops.row_reduce("*", placeholder("X", (4, 4)), "Y"))
    product_of_rows["Y"].split("k", 4), product_of_rows["Y"].parallel("i")
    refused(product_of_rows, "Triton cannot fold")
    padded = Schedule(ops.conv2d(placeholder("A", (1, 1, 4, 4)), placeholder("B", (1, 1, 3, 3)), padding=1, name="C"))
    padded["C"].split("w", 4), padded["C"].reorder("n", "o", "h", "w.0", "c", "p", "q", "w.1")
    padded["C"].fuse("n", "o"), padded["C"].parallel("n_o"), padded["C"].parallel("h"), padded["C"].parallel("w.0")
    refused(padded, "chooses by a condition")
    inside = Schedule(ops.softmax(placeholder("X", (4, 4)))[-1])
    inside["Y"].split("j", 4), inside["Y"].parallel("i"), inside["Y"].parallel("j.0")
    for name in ("Y_max", "Y_exp"):
        stage = inside[name]
        stage.split(stage.order[-1], 4), stage.parallel("i")
        if name == "Y_exp":
            stage.parallel("j.0")
    inside.compute_at("Y_sum", "Y", "j.0")
    refused(inside, "a kernel of its own")
