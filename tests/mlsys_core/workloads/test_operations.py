"""Counts of single operations, against torch's kernels where they have one and by brute force where not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.collectives import all_reduce, all_to_all_single
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.workloads import operations as o
from mlsys_core.workloads.operations import Operation, Work
from tests.mlsys_core.workloads.torch_counts import flops, moved_bytes, saved_bytes

small = st.integers(1, 7)
works = st.builds(Work, small, small, small)


@given(small, small, small, st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_linear_layer_counts_as_torch_counts(rows, inputs, outputs, bias, first):
    layer = nn.Linear(inputs, outputs, bias=bias)
    x = torch.randn(rows, inputs, requires_grad=not first)
    counted = o.linear(
        "layer", "part", (rows, inputs, outputs), 4, bias=bias, keeps=rows * inputs, input_gradient=not first
    )
    assert (counted.forward.flops, counted.step.flops) == flops(lambda: layer(x))
    assert counted.saved == saved_bytes(lambda: layer(x), layer)
    assert counted.parameters == sum(p.numel() for p in layer.parameters())
    moved = moved_bytes(lambda: layer(x))
    assert counted.forward.memory == (moved["addmm"] if bias else moved["mm"] // (2 if first else 3))
    products = (rows * inputs + inputs * outputs + rows * outputs) * 4
    assert counted.backward.memory == products * (1 if first else 2) + (rows * outputs + outputs) * 4 * bias


@given(small, small)
@settings(max_examples=15, deadline=None)
def test_a_layer_norm_moves_and_keeps_what_torchs_kernel_does(rows, width):
    """torch's kernels also write and read a mean and a root of each row, which is traffic without width."""
    layer, x = nn.LayerNorm(width), torch.randn(rows, width, requires_grad=True)
    counted = o.norm("norm", "norm", rows, width, 4, vectors=2, keeps=rows * width + 2 * rows)
    moved = moved_bytes(lambda: layer(x))
    assert counted.forward.memory == moved["native_layer_norm"] - 2 * rows * 4
    assert counted.backward.memory == moved["native_layer_norm_backward"] - 2 * rows * 4
    assert counted.saved == saved_bytes(lambda: layer(x), layer)
    assert counted.parameters == 2 * width


@given(small, small)
@settings(max_examples=15, deadline=None)
def test_elementwise_functions_move_and_keep_what_torchs_kernels_do(rows, width):
    x = torch.randn(rows, width, requires_grad=True)
    counted = o.elementwise("silu", "part", rows * width, 4, reads=1, keeps=rows * width)
    moved = moved_bytes(lambda: F.silu(x))
    assert (counted.forward.memory, counted.backward.memory) == (moved["silu"], moved["silu_backward"])
    assert counted.saved == saved_bytes(lambda: F.silu(x), nn.Identity())


def exchanges(comm, elements):
    """An all-to-all forward and backward, and an all-reduce."""
    for _ in range(2):
        with comm.label("all_to_all"):
            all_to_all_single(torch.empty(elements), torch.zeros(elements), comm)
    with comm.label("all_reduce"):
        all_reduce(torch.zeros(elements), comm)


@pytest.mark.parametrize(("devices", "elements"), [(2, 10), (3, 12), (5, 35), (8, 64)])
def test_exchanges_send_what_the_message_log_shows(devices, elements):
    _, log = run_ranks(devices, exchanges, elements)
    for rank in range(devices):
        assert o.all_to_all("a", elements, 4, devices).step.link == log.sent_bytes(rank, "all_to_all")
        assert o.all_reduce("b", elements, 4, devices).step.link == pytest.approx(log.sent_bytes(rank, "all_reduce"))


@given(st.lists(st.tuples(st.sampled_from("abc"), works, works, small, small), max_size=8))
@settings(max_examples=60, deadline=None)
def test_sums_over_operations_are_sums_of_every_count(items):
    operations = [Operation("x", part, a, b, n, k) for part, a, b, n, k in items]
    whole = o.total(operations)
    assert whole.flops == sum(a.flops + b.flops for _, a, b, _, _ in items)
    assert whole.memory == o.total(operations, "forward").memory + o.total(operations, "backward").memory
    assert whole.link == sum(a.link + b.link for _, a, b, _, _ in items)
    parts = o.by_part(operations)
    assert sum(part.flops for part in parts.values()) == whole.flops
    assert list(parts) == list(dict.fromkeys(part for part, *_ in items))
    assert (o.parameters(operations), o.saved(operations)) == (sum(i[3] for i in items), sum(i[4] for i in items))


def test_work_without_traffic_is_infinitely_intense():
    assert Work(5, 2).intensity == 2.5
    assert Work(5).intensity == float("inf")
