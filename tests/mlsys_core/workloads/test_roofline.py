"""The roofline: floors, bounds and ridges, and what they say of the workloads of this package."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.workloads import accounting
from mlsys_core.workloads import operations as o
from mlsys_core.workloads.devices import A100, DEVICES, GH200, H100, H200, SIZES, TPU_V4, V100, Device
from mlsys_core.workloads.dit import DiTConfig, dit_block
from mlsys_core.workloads.dlrm import DLRMConfig, dlrm, embeddings
from mlsys_core.workloads.gpt import GPTConfig
from mlsys_core.workloads.operations import Operation, Work
from mlsys_core.workloads.resnet import RESNET50, stage
from mlsys_core.workloads.roofline import BOUNDS, attainable, floor, profile
from mlsys_core.workloads.this_cpu import this_cpu

counts = st.integers(0, 10**15)
works = st.builds(Work, counts, counts, counts)
devices = st.sampled_from(DEVICES)


@given(works, devices)
@settings(max_examples=60, deadline=None)
def test_nothing_is_faster_than_any_of_its_three_limits_and_the_slowest_is_named(work, device):
    one = floor(work, device, "int8" if device is TPU_V4 else "float16" if device is V100 else "bfloat16")
    times = {"compute": one.compute_s, "memory": one.memory_s, "communication": one.link_s}
    assert one.time_s == max(times.values()) == times[one.bound]


@given(st.floats(1e-3, 1e5), devices)
@settings(max_examples=60, deadline=None)
def test_the_roof_bends_at_the_ridge(intensity, device):
    dtype = "bfloat16" if device is not V100 else "float16"
    top = attainable(intensity, device, dtype)
    if intensity < device.ridge(dtype):
        assert top == intensity * device.bandwidth
    else:
        assert top == device.peak(dtype)
    # the same by the floor of work of this intensity
    work = Work(int(intensity * 10**9), 10**9)
    assert work.flops / floor(work, device, dtype).time_s == pytest.approx(attainable(work.intensity, device, dtype))


@given(st.lists(works, max_size=6), devices)
@settings(max_examples=60, deadline=None)
def test_a_profile_adds_floors_and_is_never_below_the_floor_of_the_sum(items, device):
    dtype = "float16" if device is V100 else "int8"
    operations = [Operation(f"{i}", "part", work, work * 2) for i, work in enumerate(items)]
    found = profile(operations, device, dtype)
    assert found.time_s == pytest.approx(3 * sum(floor(work, device, dtype).time_s for work in items))
    assert found.time_s >= floor(o.total(operations), device, dtype).time_s * (1 - 1e-9)
    if found.time_s:
        assert sum(found.share(bound) for bound in BOUNDS) == pytest.approx(1)
        assert found.bound == max(BOUNDS, key=found.share)
        assert found.utilization(device, dtype) <= 1 + 1e-9


def test_hoppers_ridge_is_where_the_data_sheet_puts_it():
    """989.5 TFLOP/s over 4.8 TB/s and over 3.35 TB/s."""
    assert round(H200.ridge("bfloat16")) == 206
    assert round(H100.ridge("bfloat16")) == 295
    assert round(H200.ridge("float8")) == 412


def test_figures_are_consistent_between_generations():
    for device in DEVICES:
        assert device.source
        assert set(device.flops) <= set(SIZES)
        assert all(device.peak(a) <= device.peak(b) for a in device.flops for b in device.flops if SIZES[a] > SIZES[b])
    assert V100.bandwidth < A100.bandwidth < H100.bandwidth < GH200.bandwidth < H200.bandwidth
    assert GH200.host_link / H100.host_link == pytest.approx(7, abs=0.05), "the data sheet says 7 times PCIe gen 5"


def test_a_device_without_a_unit_or_a_link_says_so():
    with pytest.raises(ValueError, match="V100 has no figure for bfloat16"):
        V100.peak("bfloat16")
    with pytest.raises(ValueError, match="has no link"):
        floor(Work(1, 1, 1), replace(A100, link=0), "float16")


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_workloads_are_told_apart_on_every_device(device):
    """Large products compute, normalisations and single tokens wait for memory, spread tables wait for the link."""
    dtype = "float16" if device is V100 else "bfloat16"
    config = GPTConfig(50_257, dim=2048, heads=16, kv_heads=16, ffn=5632, layers=2)
    assert profile(accounting.gpt(config, 8, 2048, size=2), device, dtype).bound == "compute"
    assert profile(accounting.gpt(config, 1, 1, size=2), device, dtype, ("forward",)).bound == "memory"
    assert profile(dit_block(DiTConfig(), 32, 256, size=2), device, dtype).bound == "compute"
    norms = [p for p in stage(RESNET50[0], 32, 56, 56, size=2) if p.part in {"norm", "elementwise"}]
    assert profile(norms, device, dtype).bound == "memory"
    for devices, bound in ((1, "memory"), (8, "communication")):
        assert profile(embeddings(DLRMConfig(tables=32), 2048, size=2, devices=devices), device, dtype).bound == bound


def test_a_whole_recommendation_model_waits_for_memory_in_a_server_and_for_the_network_between_servers():
    """NVLink carries the exchange about as fast as memory does the rest; a network of 100 Gbit/s a device does not."""
    counted = dlrm(DLRMConfig(tables=32), 2048, size=2, devices=8)
    assert profile(counted, H100, "bfloat16").bound == "memory"
    between = profile(counted, replace(H100, link=12.5e9), "bfloat16")
    assert between.bound == "communication"
    assert between.share("communication") > 0.9


def test_a_bottleneck_of_a_resnet_waits_for_memory_where_arithmetic_is_cheap():
    images = stage(RESNET50[0], 64, 56, 56, size=2)
    shares = [profile(images, device, "float16").share("memory") for device in (V100, A100, H100)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_this_machines_processor_is_measured_within_reason():
    cpu = this_cpu(edge=128, megabytes=4, repeats=3)
    assert isinstance(cpu, Device)
    assert cpu.peak("float64") > 1e8
    assert 1e8 < cpu.peak("float32") < 1e13
    assert 1e8 < cpu.bandwidth < 1e12
    assert cpu.source == "measured, one thread"


def test_measuring_leaves_the_number_of_threads_as_it_was_even_when_it_fails():
    before = torch.get_num_threads()
    this_cpu(edge=16, megabytes=1, repeats=1)
    with pytest.raises(RuntimeError):
        this_cpu(edge=-1)
    assert torch.get_num_threads() == before


@given(st.lists(st.tuples(works, works), max_size=5), devices)
@settings(max_examples=40, deadline=None)
def test_a_profile_of_both_directions_is_the_sum_of_both(pairs, device):
    dtype = "float16" if device is V100 else "int8"
    operations = [Operation(f"{i}", "part", a, b) for i, (a, b) in enumerate(pairs)]
    both = profile(operations, device, dtype)
    forward, backward = (profile(operations, device, dtype, (way,)) for way in ("forward", "backward"))
    assert both.flops == forward.flops + backward.flops
    for bound in BOUNDS:
        assert both.seconds[bound] == pytest.approx(forward.seconds[bound] + backward.seconds[bound])


def test_nothing_to_do_takes_no_time():
    found = profile([], A100, "float16")
    assert (found.time_s, found.share("memory"), found.utilization(A100, "float16")) == (0, 0, 0)
