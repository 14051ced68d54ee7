"""Attention over pages against torch in float64 over the same tokens in a row; bytes by the meter."""

from __future__ import annotations

import random

import pytest
import torch

from mlsys_core.kernels.decode import (
    decode_bytes,
    paged_attention,
    paged_prefill_attention,
    write_cache,
)
from mlsys_core.kernels.decode.operators import _paged_attention, _paged_prefill_attention, _write_cache, splits_for
from tests.mlsys_core.kernels.paged import dense, pages
from tests.mlsys_core.kernels.where import DEVICE, DTYPES, ON_GPU, SCALE, generator

TOLERANCE = {torch.float32: 2e-5 if not ON_GPU else 2e-3, torch.float16: 3e-3, torch.bfloat16: 2e-2}


def drawn(seed: int) -> tuple[list[int], int, int, int, int]:
    """Lengths, heads, heads of keys, width and block size of a random case."""
    rng = random.Random(seed)
    lengths = [rng.choice([0, 1, rng.randrange(2, 60 * SCALE)]) for _ in range(rng.randrange(1, 4))]
    kv_heads = rng.choice([1, 2, 3])
    return lengths, kv_heads * rng.choice([1, 2, 5]), kv_heads, rng.choice([16, 24, 32, 64]), rng.choice([1, 8, 16, 32])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_one_token_reads_its_whole_context(held, dtype, seed):
    lengths, heads, kv_heads, dim, size = drawn(seed)
    cache = pages(lengths, kv_heads, dim, size, dtype, seed)
    q = torch.randn(len(lengths), heads, dim, generator=generator(seed + 100), device=DEVICE).to(dtype)
    want = torch.stack([dense(q[i : i + 1], k, v)[0] for i, (k, v) in enumerate(cache.written)])
    for splits in (None, 1, 5):
        found = paged_attention(q, cache.keys, cache.values, cache.tables, cache.lengths, splits=splits)
        assert found.dtype == dtype
        held("kernels: paged decode", "torch on gathered tokens, float64", found.cpu(), want.cpu(), TOLERANCE[dtype])


@pytest.mark.parametrize("seed", range(3))
def test_a_window_reads_the_last_tokens_alone(held, seed):
    lengths, heads, kv_heads, dim, size = drawn(seed + 40)
    cache = pages(lengths, kv_heads, dim, size, torch.float32, seed)
    q = torch.randn(len(lengths), heads, dim, generator=generator(seed), device=DEVICE)
    window = 7
    want = torch.stack(
        [dense(q[i : i + 1], k, v, max(0, len(k) - window))[0] for i, (k, v) in enumerate(cache.written)]
    )
    for splits in (1, 3):
        found = paged_attention(q, cache.keys, cache.values, cache.tables, cache.lengths, splits=splits, window=window)
        held("kernels: paged decode, window", "torch on gathered tokens, float64", found.cpu(), want.cpu(), 2e-3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_mixed_batch_of_chunks_and_single_tokens_reads_the_cache(held, dtype, seed):
    lengths, heads, kv_heads, dim, size = drawn(seed + 20)
    cache = pages(lengths, kv_heads, dim, size, dtype, seed)
    rng = random.Random(seed)
    new = [rng.randint(min(n, 1), n) for n in lengths]
    starts = torch.tensor([sum(new[:i]) for i in range(len(new) + 1)], dtype=torch.int32, device=DEVICE)
    q = torch.randn(sum(new), heads, dim, generator=generator(seed), device=DEVICE).to(dtype)
    found = paged_prefill_attention(q, cache.keys, cache.values, cache.tables, cache.lengths, starts)
    for i, (k, v) in enumerate(cache.written):
        rows = slice(int(starts[i]), int(starts[i + 1]))
        want = dense(q[rows], k, v)
        held(
            "kernels: paged prefill",
            "torch on gathered tokens, float64",
            found[rows].cpu(),
            want.cpu(),
            TOLERANCE[dtype],
        )


def test_logits_of_ten_thousand_neither_overflow_nor_lose_their_order(held):
    cache = pages([37], 1, 32, 8, torch.float32, 3)
    q = torch.randn(1, 2, 32, generator=generator(6), device=DEVICE) * 1e4
    want = dense(q, *cache.written[0]).cpu()
    starts = torch.tensor([0, 1], dtype=torch.int32, device=DEVICE)
    read = (cache.keys, cache.values, cache.tables, cache.lengths)
    for found in (paged_attention(q, *read, splits=3), paged_prefill_attention(q, *read, starts)):
        held("kernels: paged, logits of 1e4", "torch on gathered tokens, float64", found.cpu(), want, 1e-3)


def test_rows_may_be_a_part_of_a_wider_product_and_the_scale_another():
    cache = pages([29, 5], 2, 32, 8, torch.float32, 8)
    wide = torch.randn(2, 3, 8, 32, generator=generator(3), device=DEVICE)
    q, scale = wide[:, 1, 2:6], 0.3
    read = (cache.keys, cache.values, cache.tables, cache.lengths)
    want = torch.stack([dense(q[i : i + 1] * scale * 32**0.5, k, v)[0] for i, (k, v) in enumerate(cache.written)])
    starts = torch.arange(3, dtype=torch.int32, device=DEVICE)
    for found in (
        paged_attention(q, *read, scale=scale, splits=2),
        paged_prefill_attention(q, *read, starts, scale=scale),
    ):
        assert torch.allclose(found.double().cpu(), want.cpu(), atol=1e-4)
    key = torch.randn(4, 2, 2, 32, generator=generator(4), device=DEVICE)
    keys = torch.zeros(1, 4, 2, 32, device=DEVICE)
    values = torch.zeros_like(keys)
    write_cache(key[:, 0], key[:, 1], keys, values, torch.arange(4, device=DEVICE))
    assert torch.equal(keys[0], key[:, 0])
    assert torch.equal(values[0], key[:, 1])


def test_two_sequences_may_share_blocks_and_one_run_is_like_the_next():
    cache = pages([40, 40], 2, 32, 8, torch.float32, 5)
    tables = cache.tables.clone()
    tables[1, :4] = tables[0, :4]  # a common beginning of 32 tokens
    q = torch.randn(1, 4, 32, generator=generator(1), device=DEVICE).expand(2, 4, 32)
    found = [paged_attention(q, cache.keys, cache.values, tables, cache.lengths, splits=2) for _ in range(2)]
    assert torch.equal(found[0], found[1])
    (k0, v0), (k1, v1) = cache.written
    k, v = torch.cat([k0[:32], k1[32:]]), torch.cat([v0[:32], v1[32:]])
    assert torch.allclose(found[0][1].double().cpu(), dense(q[1:], k, v)[0].cpu(), atol=2e-3)


def test_rows_of_padding_are_written_nowhere():
    keys = torch.zeros(2, 4, 1, 16, device=DEVICE)
    values = torch.zeros_like(keys)
    rows = torch.ones(3, 1, 16, device=DEVICE)
    write_cache(rows, rows, keys, values, torch.tensor([-1, 5, -1], device=DEVICE))
    assert keys.flatten(0, 1)[5].sum() == 16
    assert keys.sum() == values.sum() == 16


def test_splits_fill_the_chip_and_stay_worth_their_halves():
    device = DEVICE
    assert splits_for(64, 8, 8192, device) == (1 if not ON_GPU else 2)
    assert splits_for(1, 1, 100, device) == 1, "a short context is not split"
    assert splits_for(1, 1, 10**6, torch.device("cpu")) == 16


def test_the_operators_have_a_shape_rule_and_say_what_they_change():
    cache = pages([20, 9], 2, 16, 8, torch.float32, 1)
    q = torch.randn(2, 4, 16, generator=generator(0), device=DEVICE)
    read = (cache.keys, cache.values, cache.tables, cache.lengths)
    torch.library.opcheck(_paged_attention, (q, *read, 0.25, 2, 0, None, None))
    starts = torch.arange(3, dtype=torch.int32, device=DEVICE)
    torch.library.opcheck(_paged_prefill_attention, (q, *read, starts, 2, 0.25, None, None))
    rows, caches = torch.randn(2, 2, 16, device=DEVICE), [torch.zeros(3, 8, 2, 16, device=DEVICE) for _ in range(2)]
    torch.library.opcheck(_write_cache, (rows, rows, *caches, torch.tensor([3, -1], device=DEVICE), None, None))


def test_a_compiler_takes_a_whole_step_of_the_cache():
    cache = pages([20, 9], 2, 16, 8, torch.float32, 1)
    q = torch.randn(2, 4, 16, generator=generator(0), device=DEVICE)

    def step(q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        write_cache(q[:, :2], q[:, 2:], keys, values, torch.tensor([0, 1], device=q.device))
        return paged_attention(q * 2, keys, values, cache.tables, cache.lengths) + 1

    want = step(q, cache.keys.clone(), cache.values.clone())
    found = torch.compile(step, backend="aot_eager", fullgraph=True)(q, cache.keys.clone(), cache.values.clone())
    assert torch.equal(found.nan_to_num(0), want.nan_to_num(0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"q": torch.zeros(1, 3, 16)}, "3 heads cannot share 2 heads of keys evenly"),
        ({"q": torch.zeros(1, 4, 32)}, "do not fit a cache"),
        ({"key_scale": torch.zeros(3, 8, 2)}, "no other cache has any"),
        ({"key_cache": torch.zeros(3, 2, 8, 16).transpose(1, 2)}, "slots of a cache lie one after the other"),
    ],
)
def test_what_does_not_fit_is_told(change, told):
    fine = {
        "q": torch.zeros(1, 4, 16),
        "key_cache": torch.zeros(3, 8, 2, 16),
        "value_cache": torch.zeros(3, 8, 2, 16),
        "block_tables": torch.zeros(1, 2, dtype=torch.int32),
        "context_lens": torch.ones(1, dtype=torch.int32),
    }
    with pytest.raises(ValueError, match=told):
        paged_attention(**(fine | change))


@pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")
@pytest.mark.parametrize("splits", [1, 3])
def test_the_meter_counts_the_bytes_of_the_formula_and_finds_no_fault(splits):
    from mlsys_core.kernels.meter import Meter

    lengths, heads, kv_heads, dim, size = [64, 96], 4, 2, 32, 8
    cache = pages(lengths, kv_heads, dim, size, torch.float16, 9)
    q = torch.randn(2, heads, dim, generator=generator(0), device=DEVICE).to(torch.float16)
    with Meter() as meter:
        paged_attention(q, cache.keys, cache.values, cache.tables, cache.lengths, splits=splits)
    assert meter.findings == ()
    report = meter.report()
    # the number of a block for each token that is looked up, and each program's length
    tables = 4 * kv_heads * sum(-(-n // 32) * 32 for n in lengths)
    small = 4 * len(lengths) * kv_heads * splits
    expected = decode_bytes(lengths, heads, kv_heads, dim, splits=splits) + tables + small
    assert report["loaded"] + report["stored"] == expected
