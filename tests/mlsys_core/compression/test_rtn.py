"""Round to nearest: no error is larger than half a step, ranges are what they should be, and torch's own quantizers agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compression.rtn import Scheme, quantize, spread, weight_bytes

SCHEMES = st.builds(
    Scheme,
    bits=st.integers(2, 8),
    symmetric=st.booleans(),
    per=st.sampled_from(["tensor", "channel", "group"]),
    group_size=st.integers(1, 40),
)
KINDS = ("normal", "positive", "negative", "constant", "zeros", "tiny", "heavy", "rows of zeros")


def drawn(kind, n, k, seed, dtype=torch.float64):
    x = torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return {
        "normal": x,
        "positive": x.abs() + 2,
        "negative": -x.abs() - 0.5,
        "constant": torch.full_like(x, -1.7),
        "zeros": torch.zeros_like(x),
        "tiny": 1e-30 * x,
        "heavy": x**5,
        "rows of zeros": x * (torch.arange(n)[:, None] % 2),
    }[kind]


@settings(max_examples=150, deadline=None)
@given(SCHEMES, st.sampled_from(KINDS), st.integers(1, 9), st.integers(1, 90), st.integers(0, 1000))
def test_no_weight_is_further_from_its_code_than_half_a_step(scheme, kind, n, k, seed):
    w = drawn(kind, n, k, seed)
    found = quantize(w, scheme)
    step = spread(found.scale, k, scheme)
    assert ((w - found.dequantize()).abs() <= step / 2 * (1 + 1e-9)).all()
    assert found.codes.min() >= scheme.lowest
    assert found.codes.max() <= scheme.highest


@settings(max_examples=60, deadline=None)
@given(SCHEMES, st.integers(1, 6), st.integers(1, 60), st.integers(0, 1000))
def test_no_other_code_is_nearer(scheme, n, k, seed):
    """All codes are tried for every weight."""
    w = drawn("normal", n, k, seed)
    found = quantize(w, scheme)
    scale, zero = (spread(x, k, scheme) for x in (found.scale, found.zero))
    every = torch.arange(scheme.lowest, scheme.highest + 1, dtype=w.dtype)
    nearest = (w[..., None] - (every - zero[..., None]) * scale[..., None]).abs().amin(-1)
    assert torch.allclose((w - found.dequantize()).abs(), nearest, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("bits", "kind"), [(3, "normal"), (4, "heavy"), (8, "positive"), (8, "negative")])
def test_a_range_for_each_group_by_loops_that_split_by_hand(bits, kind, held):
    """Groups of 24 do not divide 100; the last one has 4."""
    w, scheme = drawn(kind, 5, 100, bits), Scheme(bits, per="group", group_size=24)
    expected = np.empty((5, 100))
    for row, line in enumerate(w.numpy()):
        for start in range(0, 100, 24):
            part = line[start : start + 24]
            low, high = min(part.min(), 0), max(part.max(), 0)
            step = (high - low) / (2**bits - 1)
            zero = np.rint(-low / step)
            codes = np.clip(np.rint(part / step) + zero, 0, 2**bits - 1)
            expected[row, start : start + 24] = (codes - zero) * step
    found = quantize(w, scheme)
    assert found.scale.shape == (5, 5)
    held("compression: RTN, groups", "numpy loops", found.dequantize(), expected, 1e-12)


@pytest.mark.parametrize(("bits", "symmetric"), [(8, True), (8, False), (4, True), (4, False), (3, False), (2, True)])
def test_torch_rounds_to_the_same_weights_with_these_ranges(bits, symmetric, held):
    w, scheme = drawn("normal", 7, 50, bits).float(), Scheme(bits, symmetric=symmetric)
    found = quantize(w, scheme)
    expected = torch.fake_quantize_per_channel_affine(
        w, found.scale[:, 0], found.zero[:, 0].int(), 0, scheme.lowest, scheme.highest
    )
    held("compression: RTN, channels", "torch.fake_quantize_per_channel_affine", found.dequantize(), expected, 1e-6)
    whole = quantize(w, Scheme(bits, symmetric=symmetric, per="tensor"))
    scale, zero = float(whole.scale), int(whole.zero)
    expected = torch.fake_quantize_per_tensor_affine(w, scale, zero, scheme.lowest, scheme.highest)
    held("compression: RTN, tensor", "torch.fake_quantize_per_tensor_affine", whole.dequantize(), expected, 1e-6)


@settings(max_examples=60, deadline=None)
@given(SCHEMES, st.sampled_from(KINDS), st.integers(0, 1000))
def test_weights_that_were_rounded_stay_where_they_are(scheme, kind, seed):
    once = quantize(drawn(kind, 4, 33, seed), scheme).dequantize()
    assert torch.allclose(quantize(once, scheme).dequantize(), once, rtol=1e-9, atol=0)


@pytest.mark.parametrize("symmetric", [True, False])
def test_zero_is_exact_and_finer_ranges_have_smaller_errors(symmetric):
    w = drawn("heavy", 16, 256, 5)
    w[:, 3] = 0
    errors = []
    for per in ("tensor", "channel", "group"):
        found = quantize(w, Scheme(4, symmetric=symmetric, per=per, group_size=32)).dequantize()
        assert (found[:, 3] == 0).all()
        errors.append(float((w - found).pow(2).sum()))
    assert errors[0] > errors[1] > errors[2]


def test_a_bit_more_leaves_about_a_quarter_of_the_squared_error():
    w = drawn("normal", 64, 256, 6)
    errors = [float((w - quantize(w, Scheme(bits)).dequantize()).pow(2).mean()) for bits in (3, 4, 5, 8)]
    step = quantize(w, Scheme(8)).scale
    assert errors[3] == pytest.approx(float(step.pow(2).mean()) / 12, rel=0.02)
    assert errors[0] / errors[1] == pytest.approx((15 / 7) ** 2, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx((31 / 15) ** 2, rel=0.05)


def test_bytes_are_those_of_codes_scales_and_zeros():
    assert weight_bytes(128, 256, Scheme(4, symmetric=True)) == 128 * 256 // 2 + 2 * 128
    assert weight_bytes(128, 256, Scheme(4, per="group", group_size=128)) == (128 * 256 * 4 + 256 * 20) // 8
    assert weight_bytes(3, 100, Scheme(3, per="group", group_size=24)) == -(-(900 + 15 * 19) // 8)
    assert weight_bytes(10, 10, Scheme(8, symmetric=True, per="tensor")) == 102
    assert quantize(torch.ones(128, 256), Scheme(4, symmetric=True)).nbytes == 128 * 128 + 256


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"bits": 1}, "1 bits cannot"),
        ({"bits": 9}, "give 2 to 8"),
        ({"per": "row"}, "tensor, channel or group"),
        ({"group_size": 0}, "is empty"),
    ],
)
def test_a_scheme_that_cannot_be_is_told(asked, told):
    with pytest.raises(ValueError, match=told):
        Scheme(**asked)


@pytest.mark.parametrize("w", [torch.ones(3), torch.ones(0, 3), torch.ones(2, 2, dtype=torch.int32)])
def test_what_is_no_matrix_of_weights_is_told(w):
    with pytest.raises(ValueError, match="no matrix of weights"):
        quantize(w, Scheme())


@pytest.mark.parametrize("strange", [torch.nan, torch.inf])
def test_weights_without_a_range_are_told(strange):
    with pytest.raises(ValueError, match="no range"):
        quantize(torch.tensor([[1.0, strange]]), Scheme())
