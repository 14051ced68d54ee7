"""The engine's kernels against plain torch on gathered blocks, and what they read against the formula."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.serving.attention import Layout, TorchAttention
from mlsys_core.serving.kernel_attention import KernelAttention
from mlsys_core.serving.paged_kernels import attend_singles, attention_bytes, splits_of
from tests.mlsys_core.kernels.where import DEVICE, DTYPES, ON_GPU, SCALE, generator


def scattered(contexts, block, heads, kv_heads, size, dtype):
    """Queries, a cache whose free places are not numbers, and a layout of single tokens with blocks in random order."""
    draws = generator(sum(contexts))
    width = max(-(-n // block) for n in contexts) + 1
    order = torch.randperm(len(contexts) * width + 1, generator=draws, device=DEVICE)[1:].view(len(contexts), width)
    keys, values = torch.full(
        (2, len(contexts) * width + 1, block, kv_heads, size), float("nan"), device=DEVICE, dtype=dtype
    )
    for i, n in enumerate(contexts):
        for cache in (keys, values):
            flat = cache.flatten(0, 1)
            places = (order[i, :, None] * block + torch.arange(block, device=DEVICE)).flatten()[:n]
            flat[places] = torch.randn(n, kv_heads, size, generator=draws, device=DEVICE).to(dtype)
    q = torch.randn(len(contexts), heads, size, generator=draws, device=DEVICE).to(dtype)
    lengths = torch.tensor(contexts, dtype=torch.int32, device=DEVICE)
    starts = torch.arange(len(contexts) + 1, dtype=torch.int32, device=DEVICE)
    return q, keys, values, Layout(lengths - 1, lengths, order.int(), lengths, starts, len(contexts))


CASES = [([1, 37, 64], 4, 4, 2, 16), ([130, 5], 16, 6, 2, 32), ([65], 3, 5, 1, 16)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("contexts", "block", "heads", "kv_heads", "size"), CASES)
def test_single_tokens_read_their_own_context_through_the_table(held, dtype, contexts, block, heads, kv_heads, size):
    contexts = [SCALE * n - 1 if n > 1 else 1 for n in contexts]
    q, keys, values, layout = scattered(contexts, block, heads, kv_heads, size, dtype)
    found = KernelAttention().attend(q, keys, values, layout)
    clean = (cache.nan_to_num().double() for cache in (keys, values))
    expected = TorchAttention().attend(q.double(), *clean, layout)
    tolerance = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    held(
        f"serving kernel: decode {dtype}",
        "SDPA on gathered blocks, float64",
        found.double().cpu(),
        expected.cpu(),
        tolerance,
    )


@pytest.mark.parametrize(("splits", "tile", "warps"), [(1, 16, 4), (5, 64, 2), (16, 32, 8)])
def test_the_cut_and_the_tile_change_the_speed_only(held, splits, tile, warps):
    q, keys, values, layout = scattered([100, 33], 8, 4, 2, 32, torch.float32)
    at = (q, keys, values, layout.tables, layout.contexts)
    found, expected = attend_singles(*at, splits=splits, tile=tile, warps=warps), attend_singles(*at)
    held("serving kernel: cuts and tiles", "another cut", found.cpu(), expected.cpu(), 2e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_new_keys_and_values_go_to_their_slots_and_nowhere_else(dtype):
    draws = generator(3)
    keys, values = torch.zeros(2, 5, 3, 3, 16, device=DEVICE, dtype=dtype)
    key, value = torch.randn(2, 4, 3, 16, generator=draws, device=DEVICE).to(dtype)
    slots = torch.tensor([14, 0, 7, 3], device=DEVICE)
    other = keys.clone(), values.clone()
    KernelAttention().write(key, value, keys, values, slots)
    TorchAttention().write(key, value, *other, slots)
    assert torch.equal(keys, other[0])
    assert torch.equal(values, other[1])


@pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")
def test_the_bytes_that_are_read_are_the_contexts_once_and_nothing_is_wrong():
    from mlsys_core.kernels.meter import Meter

    contexts = [70, 9, 128]
    q, keys, values, layout = scattered(contexts, 8, 4, 2, 16, torch.float32)
    with Meter() as meter:
        KernelAttention().attend(q, keys, values, layout)
    assert not meter.findings
    traffic = {argument: found for (kernel, argument), found in meter.traffic.items() if kernel == "_attend"}
    assert traffic["keys"].loaded + traffic["values"].loaded == attention_bytes(contexts, 2, 16, 4)


def test_a_context_is_split_until_the_device_is_full_and_no_further():
    cpu = torch.device("cpu")
    assert [splits_of(1, 1, n, cpu) for n in (10_000, 100, 1)] == [16, 4, 1]
    assert splits_of(64, 8, 10_000, cpu) == 1
