"""Where torchao is installed, its ranges, codes and floats are ours. The project does without it: torch's quantizers are in `test_rtn`."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.compression.fp8 import fp8_round_trip, fp8_scale
from mlsys_core.compression.rtn import Scheme, quantize

ao = pytest.importorskip("torchao.quantization.quant_primitives", reason="torchao is not installed")


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("shape", [(7, 96, 96), (5, 96, 24), (3, 100, 10)])
def test_ranges_and_codes_are_those_of_torchao(shape, bits, symmetric, held):
    """It multiplies by 1 / scale where we divide, so a weight at the middle between two codes may fall on the other one."""
    (n, k, group), draws = shape, torch.Generator().manual_seed(bits)
    w = torch.randn(n, k, generator=draws) * torch.logspace(-2, 2, n)[:, None] + bits % 2
    scheme = Scheme(bits, symmetric=symmetric, per="group", group_size=group)
    kind = ao.MappingType.SYMMETRIC if symmetric else ao.MappingType.ASYMMETRIC
    span = ((1, group), torch.int8 if symmetric else torch.uint8, scheme.lowest, scheme.highest)
    scale, zero = ao.choose_qparams_affine(w, kind, *span, scale_dtype=torch.float32, zero_point_dtype=torch.int32)
    codes = ao.quantize_affine(w, span[0], scale, zero, *span[1:])
    found = quantize(w, scheme)
    held(
        "compression: RTN, ranges",
        "torchao, choose_qparams_affine",
        found.scale,
        scale.reshape(found.scale.shape),
        1e-7,
    )
    assert torch.equal(found.zero.int(), zero.reshape(found.zero.shape))
    apart = (found.codes.int() - codes.int()).abs()
    assert apart.max() <= 1
    assert apart.float().mean() < 0.01


@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_floats_of_eight_bits_are_those_of_torchao(per, held):
    w = torch.randn(6, 40, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 3, 6)[:, None]
    scale = ao._choose_scale_float8(w, [1, 40] if per == "channel" else [6, 40], torch.float8_e4m3fn)
    codes = ao._quantize_affine_float8(w, scale.reshape(-1, 1), torch.float8_e4m3fn)
    expected = ao._dequantize_affine_float8(codes, scale.reshape(-1, 1), torch.float32)
    held("compression: fp8, scale", "torchao, _choose_scale_float8", fp8_scale(w, per), scale.reshape(-1, 1), 1e-7)
    held("compression: fp8 round trip", "torchao, float8", fp8_round_trip(w, per), expected, 1e-6)
