"""Each planted fault is found, by its kind, at its line and by the name of the pointer; what only looks like one is not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from mlsys_core.kernels.meter import Finding, Meter, MeterError
from tests.mlsys_core.kernels import sample_kernels as k

torch, interpreter = k.torch, k.triton.runtime.interpreter
SIZES = [7, 33, 64, 129, 500]


def only(meter: Meter) -> Finding:
    (finding,) = meter.findings
    return finding


def is_at(finding: Finding, kind: str, argument: str, kernel: Any, line: str = "# fault") -> bool:
    """Whether it says all that a student needs: what, through which pointer, and where."""
    where = k.line_of(kernel, line)
    assert finding.text.startswith(f"{where}: program (")
    assert finding.argument in finding.text
    return (finding.kind, finding.argument, finding.kernel, finding.where) == (
        kind,
        argument,
        kernel.fn.__name__,
        where,
    )


@pytest.mark.parametrize("n", SIZES)
def test_a_mask_that_is_off_by_one(n):
    x = torch.ones(n)
    with Meter() as meter:
        out = torch.empty(n)
        k.add_one_too_far[(n // 64 + 1,)](x, out, n, BLOCK=64)
    assert torch.equal(out, x + 1)
    found = only(meter)
    assert is_at(found, "bounds", "x_ptr", k.add_one_too_far)
    assert found.lanes == 1
    assert f"loads element {n} of x_ptr, whose allocation ends after element {n - 1}." in found.text
    assert meter.report()["loaded"] == 4 * n


@pytest.mark.parametrize("by", [-1, 1, -40_000, 3 << 30, -(1 << 40)])
def test_a_store_astray_is_found_and_not_done(by):
    x, neighbour = torch.ones(100), torch.zeros(100_000)
    out = neighbour[50_000:50_100].clone()
    with Meter() as meter:
        k.shift[(2,)](x, out, 100, by, BLOCK=64)
    found = only(meter)
    assert is_at(found, "bounds", "out_ptr", k.shift)
    assert found.lanes == min(100, abs(by))
    assert f"stores element {by if by < 0 else max(by, 100)} of out_ptr" in found.text
    assert out.sum() == 100 - found.lanes
    assert neighbour.sum() == 0


def test_a_pointer_that_reaches_another_argument_is_still_astray():
    room = torch.zeros(200)
    x, out = room[:100], room[100:]
    with Meter() as meter:
        k.shift[(2,)](x, out, 100, -100, BLOCK=64)
    assert is_at(only(meter), "view", "out_ptr", k.shift)


@pytest.mark.parametrize("n", SIZES)
def test_an_element_between_those_of_a_view(n):
    padded = torch.zeros(3, n + 1)
    with Meter() as meter:
        k.add_one_too_far[(n // 64 + 1,)](padded[0, :n], torch.empty(n), n, BLOCK=64)
    found = only(meter)
    assert is_at(found, "view", "x_ptr", k.add_one_too_far)
    assert f"loads element {n} of x_ptr" in found.text


def test_an_address_that_is_no_arguments():
    x, out = torch.ones(1), torch.zeros(1)
    with Meter() as meter:
        k.follow[(1,)](torch.tensor([x.data_ptr()]), out)
    assert is_at(only(meter), "bounds", "", k.follow)
    assert out.isnan().all()


@pytest.mark.parametrize(("rows", "columns"), [(2, 5), (5, 64), (8, 37)])
def test_two_programs_that_write_one_row(rows, columns):
    x = torch.ones(rows, columns)
    with Meter() as meter:
        out = torch.zeros(rows, columns)
        k.into_one_row[(rows,)](x, out, columns, BLOCK=64)
    found = only(meter)
    assert is_at(found, "race", "out_ptr", k.into_one_row)
    assert (
        "program (1, 0, 0) of into_one_row stores element 0 of out_ptr, which program (0, 0, 0) also used" in found.text
    )
    assert found.lanes == rows // 2 * columns


@pytest.mark.parametrize("n", [65, 129, 500])
def test_a_program_that_reads_what_another_writes_in_either_order(n):
    with Meter() as meter:
        k.smooth_in_place[(k.blocks(n, 64),)](torch.ones(n), n, BLOCK=64)
        k.look_ahead_in_place[(k.blocks(n, 64),)](torch.ones(n), n, BLOCK=64)
    before, after = meter.findings
    assert is_at(before, "race", "x_ptr", k.smooth_in_place)
    assert is_at(after, "race", "x_ptr", k.look_ahead_in_place)
    assert before.lanes == after.lanes == k.blocks(n, 64) - 1


def test_one_program_alone_races_with_nobody():
    with Meter() as meter:
        for kernel in (k.smooth_in_place, k.look_ahead_in_place):
            kernel[(1,)](torch.ones(64), 64, BLOCK=64)
        k.total_without_atomics[(1,)](torch.ones(64), torch.zeros(1), 64, BLOCK=64)
    assert meter.findings == ()


def test_a_total_without_atomics():
    out = torch.zeros(1)
    with Meter() as meter:
        k.total_without_atomics[(4,)](torch.ones(256), out, 256, BLOCK=64)
    assert out.item() == 256, "the interpreter's order hides it"
    loads, stores = meter.findings
    assert is_at(loads, "race", "out_ptr", k.total_without_atomics)
    assert is_at(stores, "race", "out_ptr", k.total_without_atomics, "tl.store")


def test_an_atomic_excuses_nothing_but_atomics():
    with Meter() as meter:
        k.atomic_beside_plain[(3,)](torch.zeros(1, dtype=torch.int32))
    stores, updates = meter.findings
    assert is_at(stores, "race", "out_ptr", k.atomic_beside_plain)
    assert is_at(updates, "race", "out_ptr", k.atomic_beside_plain, "atomic_add")


def test_launches_do_not_race_with_each_other():
    x = torch.ones(128)
    with Meter() as meter:
        out = torch.empty(128)
        k.add[(2,)](x, x, out, 128, BLOCK=64)
        k.add[(1,)](out, x, out, 128, BLOCK=128)
    assert meter.findings == ()
    assert torch.equal(out, 3 * x)


@pytest.mark.parametrize("n", SIZES)
def test_accumulation_into_memory_that_nobody_initialised(n):
    x = torch.ones(n)
    with Meter() as meter:
        out = torch.empty(n)
        k.accumulate[(k.blocks(n, 64),)](x, out, n, BLOCK=64)
    found = only(meter)
    assert is_at(found, "uninitialised", "out_ptr", k.accumulate)
    assert found.lanes == n
    assert out.isnan().all(), "the same nonsense in every run"


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.new_empty(x.shape),
        torch.empty_like,
        lambda _: torch.empty_strided((100,), (2,)),
        lambda _: torch.empty(200)[50:150],
    ],
    ids=["new_empty", "empty_like", "empty_strided", "a slice"],
)
def test_every_way_to_get_memory_without_values(make):
    x = torch.ones(100)
    with Meter() as meter:
        k.copy[(1,)](make(x), torch.empty(100), 1, 100, 0, 1, BLOCK=32)
    assert "uninitialised" in {found.kind for found in meter.findings}


@pytest.mark.parametrize(
    "fill",
    [
        lambda out, _: out.zero_(),
        lambda out, x: out.copy_(x),
        lambda out, x: torch.add(x, x, out=out),
        lambda out, _: out.__setitem__(slice(None), 1.0),
        lambda out, _: out.view(10, 10).T.fill_(2.0),
        lambda out, _: out.numpy().fill(3.0),
        lambda out, x: k.copy[(1,)](x, out, 1, 100, 0, 1, BLOCK=32),
        lambda out, _: out.view(torch.uint8).fill_(0xFF),
    ],
    ids=["zero_", "copy_", "out=", "setitem", "a view", "numpy", "another kernel", "ones, on purpose"],
)
def test_memory_that_was_filled_in_any_way_is_initialised(fill):
    x = torch.ones(100)
    with Meter() as meter:
        out = torch.empty(100)
        fill(out, x)
        k.accumulate[(2,)](x, out, 100, BLOCK=64)
    assert meter.findings == ()


def test_what_a_fill_left_out_is_not_initialised():
    with Meter() as meter:
        out = torch.empty(100)
        out[:60] = 0.0
        k.accumulate[(2,)](torch.ones(100), out, 100, BLOCK=64)
    assert (only(meter).kind, only(meter).lanes) == ("uninitialised", 40)
    assert "loads element 60 of out_ptr" in only(meter).text


def test_holes_that_a_kernel_left_are_found_by_the_next():
    x = torch.ones(100)
    with Meter() as meter:
        out = torch.empty(100)
        k.copy[(1,)](x, out, 1, 90, 0, 1, BLOCK=32)
        k.accumulate[(2,)](x, out, 100, BLOCK=64)
    assert is_at(only(meter), "uninitialised", "out_ptr", k.accumulate)
    assert only(meter).lanes == 10


def test_a_tensor_from_outside_counts_as_unwritten_where_that_is_said():
    x, out = torch.ones(64), torch.zeros(64)
    with Meter() as meter:
        k.accumulate[(1,)](x, out, 64, BLOCK=64)
    assert meter.findings == ()
    with Meter(out) as meter:
        k.accumulate[(1,)](x, out, 64, BLOCK=64)
    assert only(meter).kind == "uninitialised"


def test_bytes_written_as_words_are_initialised():
    words = torch.full((4,), 7, dtype=torch.int32)
    with Meter() as meter:
        out = torch.empty(4, dtype=torch.int32)
        k.copy[(1,)](words, out, 1, 4, 0, 1, BLOCK=16)
        octets = torch.empty(16, dtype=torch.int8)
        k.copy[(1,)](out.view(torch.int8), octets, 1, 16, 0, 1, BLOCK=16)
    assert meter.findings == ()
    assert octets.tolist() == [7, 0, 0, 0] * 4


def test_a_kernel_may_store_what_poison_looks_like():
    ones = torch.full((8,), -1, dtype=torch.int32)
    with Meter() as meter:
        out, again = (torch.empty(8, dtype=torch.int32) for _ in range(2))
        k.copy[(1,)](ones, out, 1, 8, 0, 1, BLOCK=16)
        k.copy[(1,)](out, again, 1, 8, 0, 1, BLOCK=16)
    assert meter.findings == ()
    assert again.tolist() == [-1] * 8


def test_an_element_that_straddles_two_of_the_tensors_belongs_to_both():
    octets = torch.arange(16, dtype=torch.int8)
    with Meter() as meter:
        out = torch.empty(1, dtype=torch.int32)
        k.word_at[(1,)](octets, out, 3)
        k.word_at[(1,)](octets[:5], out, 3)
    assert is_at(only(meter), "view", "octet_ptr", k.word_at, "tl.load")
    assert out.view(torch.int8).tolist() == [3, 4, 5, 6]


def test_masked_lanes_have_no_value():
    x, out = torch.ones(10), torch.zeros(1)
    k.sum_of_masked[(1,)](x, out, 10, BLOCK=16)
    assert out.item() == 10, "the plain interpreter hides it"
    with Meter() as meter:
        k.sum_of_masked[(1,)](x, out, 10, BLOCK=16)
    assert out.isnan().all()
    assert meter.findings == ()


def test_an_index_out_of_a_table():
    with Meter() as meter:
        k.take[(1,)](torch.ones(5), torch.tensor([0, 4, 5, -1]), torch.empty(4), 4, BLOCK=4)
    assert is_at(only(meter), "bounds", "table_ptr", k.take, "table_ptr + index")
    assert only(meter).lanes == 2


@pytest.mark.parametrize(("by", "kinds"), [(0, []), (1, ["bounds"])])
def test_compare_and_swap(by, kinds):
    lock = torch.zeros(1, dtype=torch.int32)
    with Meter() as meter:
        out = torch.empty(3, dtype=torch.int32)
        k.claim_with_cas[(3,)](lock, out, by)
    assert [found.kind for found in meter.findings] == kinds
    assert (lock.tolist(), out.tolist()) == (([0], [-1, -1, -1]) if by else ([1], [0, 1, 1]))


def test_a_tensor_without_elements_has_none_to_touch():
    with Meter() as meter:
        k.add[(1,)](torch.empty(0), torch.empty(0), torch.empty(0), 0, BLOCK=16)
        k.add_one_too_far[(1,)](torch.empty(0), torch.empty(0), 0, BLOCK=16)
    assert is_at(only(meter), "bounds", "x_ptr", k.add_one_too_far)


def test_everything_is_as_before_even_when_a_kernel_raises():
    names = (
        "create_masked_load",
        "create_masked_store",
        "create_atomic_rmw",
        "create_atomic_cas",
        "create_dot",
        "create_exp",
    )
    before = [getattr(interpreter.InterpreterBuilder, name) for name in names]
    launch, convert = interpreter.GridExecutor._init_args_hst, interpreter._implicit_cvt
    with pytest.raises(TypeError), Meter():
        k.add[(1,)](torch.ones(1))
    assert before == [getattr(interpreter.InterpreterBuilder, name) for name in names]
    assert (launch, convert) == (interpreter.GridExecutor._init_args_hst, interpreter._implicit_cvt)
    with Meter() as meter:
        k.add[(1,)](torch.ones(4), torch.ones(4), torch.empty(4), 4, BLOCK=16)
    assert meter.launches == 1


def test_what_cannot_be_metered_is_refused(monkeypatch):
    with Meter(), pytest.raises(MeterError, match="one at a time"), Meter():
        pass
    half = torch.ones(4, dtype=torch.bfloat16)
    with Meter(), pytest.raises(MeterError, match=r"x_ptr of add is bfloat16, .* Use float16 or float32"):
        k.add[(1,)](half, half, half, 4, BLOCK=16)
    with Meter(), pytest.raises(MeterError, match="x_ptr of add is on meta"):
        k.add[(1,)](torch.ones(4, device="meta"), half, half, 4, BLOCK=16)
    monkeypatch.setattr(k.triton, "__version__", "4.0.0")
    with pytest.raises(MeterError, match=r"knows triton 3\.6 and 3\.7; this is 4\.0\.0"), Meter():
        pass


def test_kernels_that_are_compiled_are_refused():
    source = "from mlsys_core.kernels.meter import Meter\nMeter().__enter__()"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ended = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    assert "Set TRITON_INTERPRET=1 before triton is imported" in ended.stderr
