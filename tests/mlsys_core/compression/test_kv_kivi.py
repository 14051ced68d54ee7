"""KIVI stores keys by channel and values by token, within half a step, and keeps the newest whole."""

from __future__ import annotations

import random

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.compression.kv import KIVI
from mlsys_core.compression.kv.groups import group_bits, pack, quantize, unpack
from mlsys_core.workloads.gpt import GPTConfig, rope
from tests.mlsys_core.compression.caches import drawn, driven, pieces, turned

CONFIG = GPTConfig(dim=64, layers=1, heads=4, kv_heads=2)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_unpacking_is_the_inverse_of_packing_and_codes_lie_where_they_should(bits):
    draw, numbers = random.Random(bits), torch.Generator().manual_seed(bits)
    shape = (draw.randint(1, 4), draw.randint(0, 3), 24)
    codes = torch.randint(2**bits, shape, generator=numbers)
    packed = pack(codes, bits)
    assert packed.shape == (*shape[:2], 3 * bits)
    assert torch.equal(unpack(packed, bits), codes.to(torch.uint8))
    one = torch.zeros(24, dtype=torch.int64)
    place = draw.randrange(24)
    one[place] = 2**bits - 2
    shared = 8 // bits
    assert pack(one, bits)[place // shared] == 2**bits - 2 << bits * (place % shared)


def test_widths_that_do_not_fill_are_refused():
    with pytest.raises(ValueError, match="fill bytes"):
        pack(torch.zeros(6, dtype=torch.int64), 2)
    with pytest.raises(ValueError, match="2, 4 or 8"):
        pack(torch.zeros(6, dtype=torch.int64), 3)
    with pytest.raises(ValueError, match="groups of 8"):
        quantize(torch.zeros(2, 12), 4, 8)
    with pytest.raises(ValueError, match="2, 4 or 8"):
        KIVI(bits=3)
    for group, residual in ((3, 6), (8, 12), (8, 0)):
        with pytest.raises(ValueError, match="fill bytes and the window"):
            KIVI(2, group, residual)
    with pytest.raises(ValueError, match="cannot be cut"):
        KIVI(2, 8, 8).layer(GPTConfig(dim=24, heads=2, kv_heads=2))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_number_is_off_by_half_a_step_at_most(bits, seed):
    """And by what a minimum and a scale of 16 bits round, 2^-11 of the minimum and of the range."""
    draw, numbers = random.Random(seed), torch.Generator().manual_seed(seed)
    group = 8 * draw.randint(1, 4)
    x = torch.randn(draw.randint(1, 5), 3 * group, generator=numbers, dtype=torch.float64)
    x = x * 10.0 ** draw.randint(-3, 3) + draw.choice([-2, 0, 1])
    groups = quantize(x, bits, group)
    cut = x.unflatten(-1, (-1, group))
    low, high = cut.amin(-1), cut.amax(-1)
    rounding = 2**-11 * (low.abs() + high - low) + 2**-24
    error = (groups.dequantized(x.dtype) - x).abs().unflatten(-1, (-1, group)).amax(-1)
    step = (high - low) / (2**bits - 1)
    assert (error <= step / 2 + rounding).all()
    assert (error > step / 4).any(), "steps as coarse as they are said to be"


def test_numbers_that_the_steps_hold_come_back_whole_and_equal_ones_too():
    x = torch.tensor([-1.0, 0.5, 2.0, 3.5, 3.5, -1.0, 2.0, 0.5])
    assert torch.equal(quantize(x, 2, 8).dequantized(x.dtype), x)
    for constant in (0.0, -3.25, 1e-9):
        x = torch.full((2, 16), constant)
        assert torch.allclose(quantize(x, 4, 8).dequantized(x.dtype), x, atol=1e-8)


def read_back(k, v, bits, residual):
    """Keys and values (1, 2, n, 16) as a cache gives them back after one piece; keys as if no position turned them."""
    cache = KIVI(bits, 8, residual).layer(CONFIG)
    cache.update(rope(k, -torch.arange(k.shape[2]), CONFIG.rope_theta), v)
    cache.attend(torch.zeros(1, 4, k.shape[2], 16, dtype=k.dtype))
    return cache.stored()


def test_a_loud_channel_of_keys_and_a_loud_token_of_values_blur_nothing_else():
    numbers = torch.Generator().manual_seed(0)
    k, v = torch.randn(2, 1, 2, 32, 16, generator=numbers, dtype=torch.float64)
    quiet = [(a - b).abs() for a, b in zip(read_back(k, v, 4, 8), (k, v), strict=True)]
    loud_k, loud_v = k.clone(), v.clone()
    loud_k[..., 5] *= 100
    loud_v[:, :, 7] *= 100
    loud = [(a - b).abs() for a, b in zip(read_back(loud_k, loud_v, 4, 8), (loud_k, loud_v), strict=True)]
    channels, tokens = torch.arange(16) != 5, torch.arange(32) != 7
    assert torch.allclose(loud[0][..., channels], quiet[0][..., channels], atol=1e-9)
    assert torch.allclose(loud[1][:, :, tokens], quiet[1][:, :, tokens], atol=1e-9)
    assert loud[0][..., 5].max() > 20 * quiet[0].max()
    assert loud[1][:, :, 7].max() > 20 * quiet[1].max()


@pytest.mark.parametrize(("seed", "prompt"), [(0, 1), (1, 7), (2, 8), (3, 21), (4, 40)])
def test_the_newest_stay_whole_and_leave_as_algorithm_1_says(seed, prompt):
    draw, residual, policy = drawn(seed, 40, widths=(4, 8, 12)), 8, KIVI(8, 4, 8)
    _, keys = turned(draw)
    for _, end, _, cache in driven(policy, draw, pieces(prompt, draw.tokens)):
        whole_keys, whole_values = end % residual, min(end, residual)
        stored = cache.stored()
        assert cache.keys.shape[2] == whole_keys
        assert cache.values.shape[2] == whole_values
        assert stored[0].shape == stored[1].shape == draw.k[:, :, :end].shape
        assert torch.equal(stored[0][:, :, end - whole_keys :], keys[:, :, end - whole_keys : end])
        assert torch.equal(stored[1][:, :, end - whole_values :], draw.v[:, :, end - whole_values : end])
        assert torch.allclose(
            stored[0], keys[:, :, :end], atol=0.015
        )  # half a step, 1 / 510 of a range of 6, and rounding
        assert torch.allclose(stored[1], draw.v[:, :, :end], atol=0.015)


def test_what_is_read_is_what_is_stored(held):
    draw = drawn(5, 30, widths=(4, 8, 12))
    q, turned_keys = turned(draw)
    before, found, expected = None, [], []
    for start, end, read, cache in driven(KIVI(2, 4, 8), draw, pieces(10, draw.tokens)):
        if before is not None:
            new = turned_keys[:, :, start:end], draw.v[:, :, start:end]
            k, v = (torch.cat(two, 2) for two in zip(before, new, strict=True))
            found.append(read)
            expected.append(F.scaled_dot_product_attention(q[:, :, start:end], k, v, enable_gqa=True))
        before = cache.stored()
    held("KV compression: KIVI", "SDPA over what is stored", found, expected, 1e-12)


def test_two_bits_in_groups_of_32_are_three_bits_a_number():
    """And from 16 bits, 16 / 3 times less, outside of the window."""
    assert group_bits(2, 32) == 3
    config = GPTConfig(dim=128, layers=1, heads=4, kv_heads=4)
    whole = 2 * config.kv_heads * 32 * 2
    more = KIVI(2, 32, 32).held_bytes(config, 640, 0, 2) - KIVI(2, 32, 32).held_bytes(config, 320, 0, 2)
    assert more * 16 == whole * 320 * 3
