"""Floats of eight bits: the rounding is that of torch's own type, and no error is larger than the equation says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compression.fp8 import LARGEST, fp8_round_trip, fp8_scale, round_e4m3


def every_number():
    """All finite numbers of e4m3, as torch reads their bits."""
    bits = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).double()
    return bits[torch.isfinite(bits)].sort().values


def test_every_number_stays_and_every_middle_goes_to_the_even_one(held):
    numbers = every_number()
    assert len(numbers) == 254
    assert numbers.max() == LARGEST
    held("compression: e4m3", "torch.float8_e4m3fn, all numbers", round_e4m3(numbers), numbers, 0)
    middles = (numbers[1:] + numbers[:-1]) / 2
    near = torch.cat([middles, middles * (1 + 1e-6), middles * (1 - 1e-6)])
    expected = near.float().to(torch.float8_e4m3fn).double()
    held("compression: e4m3", "torch.float8_e4m3fn, middles", round_e4m3(near), expected, 0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-448, 448, width=32), min_size=1, max_size=50))
def test_it_is_torchs_conversion_and_within_the_bound(values):
    v = torch.tensor(values, dtype=torch.float32)
    found = round_e4m3(v)
    assert torch.equal(found, v.to(torch.float8_e4m3fn).float())
    assert ((found - v).abs() <= torch.maximum(2.0**-4 * v.abs(), torch.tensor(2.0**-10))).all()


def test_what_is_larger_than_the_largest_is_cut_and_nan_stays():
    found = round_e4m3(torch.tensor([500.0, -1e30, torch.inf, torch.nan]))
    assert found[:3].tolist() == [448, -448, 448]
    assert found[3].isnan()


@pytest.mark.parametrize("per", ["tensor", "channel"])
@pytest.mark.parametrize("seed", [0, 1])
def test_scaled_tensors_come_back_as_the_kernels_keep_them(per, seed, held):
    from mlsys_core.kernels.matmul.eight_bits import quantize_fp8

    w = torch.randn(13, 37, generator=torch.Generator().manual_seed(seed)) * torch.logspace(-4, 4, 13)[:, None]
    w[5] = 0
    codes, scale = quantize_fp8(w, by_row=per == "channel")
    held(
        "compression: fp8 round trip",
        "float8_e4m3fn with its scale",
        fp8_round_trip(w, per),
        codes.float() * scale[:, None],
        1e-6,
    )
    bound = torch.maximum(2.0**-4 * w.abs(), 2.0**-10 * fp8_scale(w, per))
    assert ((fp8_round_trip(w, per) - w).abs() <= bound * (1 + 1e-5)).all()


def test_rows_of_different_sizes_need_scales_of_their_own():
    w = torch.randn(8, 64, generator=torch.Generator().manual_seed(3))
    w[0] *= 1e5
    errors = {per: (fp8_round_trip(w, per)[1:] - w[1:]).norm() / w[1:].norm() for per in ("tensor", "channel")}
    assert errors["channel"] < 0.04
    assert errors["tensor"] > 3 * errors["channel"]


def test_other_shapes_are_told():
    with pytest.raises(ValueError, match="tensor or channel"):
        fp8_scale(torch.ones(3))
    with pytest.raises(ValueError, match="per 'group'"):
        fp8_scale(torch.ones(3, 3), "group")
