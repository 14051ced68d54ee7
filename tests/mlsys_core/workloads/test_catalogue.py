"""Workloads of known sizes wait for what the catalogue says, on every device."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from mlsys_core.workloads import accounting
from mlsys_core.workloads import operations as o
from mlsys_core.workloads.catalogue import GPT_1B, catalogue, table, usual_dtype
from mlsys_core.workloads.devices import DEVICES, SIZES, V100, Device

BOUNDS = ["compute", "memory", "compute", "memory", "communication"]


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_the_five_workloads_are_told_apart_on_every_accelerator(device):
    dtype = usual_dtype(device)
    found = [workload.on(device, dtype) for workload in catalogue(SIZES[dtype])]
    assert [profile.bound for profile in found] == BOUNDS
    assert all(0 <= profile.utilization(device, dtype) < 1 for profile in found)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_one_token_takes_as_long_as_reading_the_weights(device):
    """Apart from norms and the like, which are a thousandth: the table of embeddings is read in one row only."""
    dtype = usual_dtype(device)
    weights = accounting.non_embedding(GPT_1B) * SIZES[dtype] / device.bandwidth
    assert catalogue(SIZES[dtype])[1].on(device, dtype).time_s == pytest.approx(weights, rel=2e-3)


def test_the_gpt_is_as_large_as_its_name_says():
    assert round(accounting.non_embedding(GPT_1B) / 1e9, 1) == 1.3
    assert o.parameters(catalogue(2)[0].operations) == accounting.parameters(GPT_1B)


def test_smaller_numbers_halve_the_traffic_and_leave_the_arithmetic():
    for wide, narrow in zip(catalogue(4), catalogue(2), strict=True):
        a, b = o.total(wide.operations), o.total(narrow.operations)
        assert a.flops == b.flops
        assert a.link == 2 * b.link
        assert a.memory == pytest.approx(2 * b.memory, rel=0.02), "indices keep their eight bytes"


def test_tables_for_people_name_every_workload_with_its_bound():
    lines = table(V100)
    assert lines[0] == "V100, float16: ridge at 139 FLOP/byte"
    assert [line.split(" ms  ")[1].split()[0] for line in lines[1:]] == BOUNDS
    lonely = Device("processor", MappingProxyType({"float32": 1e11}), 1e10, 1e10)
    assert usual_dtype(lonely) == "float32"
    assert "DLRM embeddings, 1 device " in table(lonely)[-1]
    assert "memory" in table(lonely)[-1]
