"""A cache of eight bits: what writing loses by its bound, what is read by torch in float64, bytes by the meter."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.kernels.decode import (
    decode_bytes,
    paged_attention,
    paged_attention_quantized,
    paged_prefill_attention,
    quantized_cache,
    write_cache,
    write_cache_quantized,
)
from tests.mlsys_core.kernels.paged import dense, pages, slots_of
from tests.mlsys_core.kernels.where import DEVICE, ON_GPU, generator


@pytest.mark.parametrize(("dtype", "step"), [(torch.int8, 0.5 / 127), (torch.float8_e4m3fn, 2.0**-4)])
def test_eight_bits_are_off_by_no_more_than_their_step(dtype, step):
    random_rows = generator(7)
    key, value = (torch.randn(9, 2, 32, generator=random_rows, device=DEVICE) * 3 for _ in range(2))
    key[4] = 0.0
    (keys, k_scale), (values, v_scale) = (
        quantized_cache(3, 8, 2, 32, dtype=dtype, device=str(DEVICE)) for _ in range(2)
    )
    slots = torch.randperm(24, generator=random_rows, device=DEVICE)[:9]
    write_cache(key, value, keys, values, slots, key_scale=k_scale, value_scale=v_scale)
    for rows, cache, scale in ((key, keys, k_scale), (value, values, v_scale)):
        back = cache.flatten(0, 1)[slots].float() * scale.flatten(0, 1)[slots][..., None]
        largest = rows.abs().amax(-1, keepdim=True) if dtype == torch.int8 else rows.abs()
        floor = rows.abs().amax(-1, keepdim=True) * 2.0**-16  # float8's smallest steps near zero
        assert ((back - rows).abs() <= step * largest * (1 + 1e-4) + floor).all()


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_attention_over_eight_bits_is_that_over_what_the_cache_holds(held, dtype):
    lengths, size, kv_heads, heads, dim = [21, 0, 33], 8, 2, 4, 32
    plain = pages(lengths, kv_heads, dim, size, torch.float32, 11)
    (keys, k_scale), (values, v_scale) = (
        quantized_cache(*plain.keys.shape, dtype=dtype, device=str(DEVICE)) for _ in range(2)
    )
    scales = {"key_scale": k_scale, "value_scale": v_scale}
    for row, (k, v) in enumerate(plain.written):
        write_cache(k, v, keys, values, slots_of(plain.tables[row], len(k), size), **scales)
    q = torch.randn(3, heads, dim, generator=generator(2), device=DEVICE)
    found = paged_attention(q, keys, values, plain.tables, plain.lengths, splits=2, **scales)
    starts = torch.arange(4, dtype=torch.int32, device=DEVICE)
    same = paged_prefill_attention(q, keys, values, plain.tables, plain.lengths, starts, **scales)
    for row, n in enumerate(lengths):
        slots = slots_of(plain.tables[row], n, size)
        k, v = (
            c.flatten(0, 1)[slots].float() * s.flatten(0, 1)[slots][..., None]
            for c, s in ((keys, k_scale), (values, v_scale))
        )
        want = dense(q[row : row + 1], k, v).cpu()
        held(
            "kernels: quantized decode", "torch on the cache's numbers, float64", found[row : row + 1].cpu(), want, 2e-3
        )
        if n:
            held(
                "kernels: quantized prefill",
                "torch on the cache's numbers, float64",
                same[row : row + 1].cpu(),
                want,
                2e-3,
            )


def test_a_cache_has_eight_bits_in_two_ways_alone():
    with pytest.raises(ValueError, match="choose int8 or float8_e4m3fn"):
        quantized_cache(1, 8, 1, 16, dtype=torch.int16)


@pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")
@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_a_cache_of_eight_bits_moves_half_the_bytes_and_its_scales(dtype):
    from mlsys_core.kernels.meter import Meter

    lengths, heads, kv_heads, dim, size = [8, 16], 4, 2, 32, 8
    plain = pages(lengths, kv_heads, dim, size, torch.float16, 4)
    (keys, k_scale), (values, v_scale) = (quantized_cache(*plain.keys.shape, dtype=dtype) for _ in range(2))
    rows = torch.randn(sum(lengths), kv_heads, dim, generator=generator(1)).to(torch.float16)
    slots = torch.cat([slots_of(plain.tables[row], n, size) for row, n in enumerate(lengths)])
    q = torch.randn(2, heads, dim, generator=generator(0)).to(torch.float16)
    with Meter() as meter:
        write_cache_quantized(rows, rows, keys, values, k_scale, v_scale, slots)
    assert meter.findings == ()
    assert meter.report()["stored"] == 2 * kv_heads * sum(lengths) * (dim + 4)
    with Meter() as meter:
        paged_attention_quantized(q, keys, values, k_scale, v_scale, plain.tables, plain.lengths, splits=1)
    assert meter.findings == ()
    found = {name: one["loaded"] for name, one in meter.report()["arguments"].items()}
    assert found["attend_split.key_cache"] == kv_heads * sum(lengths) * dim
    assert found["attend_split.key_scale"] == kv_heads * sum(lengths) * 4
    whole = decode_bytes(lengths, heads, kv_heads, dim, size=1, scales=True)
    tables = 4 * kv_heads * (sum(lengths) + len(lengths))
    assert meter.report()["loaded"] + meter.report()["stored"] == whole + tables
