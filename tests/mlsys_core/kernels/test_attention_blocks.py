"""Block masks skip their tiles; the formulas of bytes and operations are what the meter counts."""

from __future__ import annotations

from random import Random

import pytest
import torch

from mlsys_core.kernels.attention import attention_bytes, attention_flops, block_mask, document_mask, flash_attention
from mlsys_core.kernels.attention.cost import visited_blocks, visited_tiles
from mlsys_core.kernels.attention.launch import Problem, prepare, run_forward, run_keys, run_queries
from mlsys_core.kernels.attention.tile_table import Tile
from mlsys_core.kernels.meter import Meter
from tests.mlsys_core.kernels.test_attention import drawn, expected, found, pairs
from tests.mlsys_core.kernels.where import DEVICE, ON_GPU

metered = pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")


def visited(tiles):
    """The tiles of a map as the formulas want them."""
    return [(int(a), int(b)) for a, b in tiles.nonzero().tolist()]


@pytest.mark.parametrize("seed", range(3))
def test_a_random_map_of_tiles_is_the_mask_spread_over_its_tiles(seed, held):
    draw = Random(seed)
    t, s, rows, columns = draw.randint(20, 90), draw.randint(20, 90), 32, 16
    tiles = torch.rand(-(-t // rows), -(-s // columns), generator=torch.Generator().manual_seed(seed)) < 0.5
    q, k, v, cotangent = drawn(seed, (2, 1), t, s, 16)
    mask = block_mask(tiles.to(DEVICE), t, s, rows=rows, columns=columns, full=tiles.to(DEVICE))
    dense = tiles.repeat_interleave(rows, 0).repeat_interleave(columns, 1)[:t, :s].to(DEVICE)
    want = expected(q, k, v, dense, cotangent)
    held("attention, tile maps", "SDPA math, float64", found(q, k, v, cotangent, block_mask=mask), want, 2e-5)
    assert mask.visited == int(tiles.sum())


@pytest.mark.parametrize("right", [-1, 0])
def test_documents_do_not_see_each_other(right, held):
    t = 100
    documents = torch.tensor([0] * 37 + [1] * 5 + [2] * 58, device=DEVICE)
    mask = document_mask(documents, documents, right=right, rows=16, columns=32)
    q, k, v, cotangent = drawn(1, (2, 2), t, t, 32)
    ok = pairs(t, t, -1, right) & (documents[:, None] == documents)
    want = expected(q, k, v, ok, cotangent)
    got = found(q, k, v, cotangent, causal=right == 0, block_mask=mask)
    held("attention, documents", "SDPA math, float64", got, want, 2e-5)
    touched = sum(bool(ok[a : a + 16, b : b + 32].any()) for a in range(0, t, 16) for b in range(0, t, 32))
    assert mask.visited == touched < 7 * 4


def test_a_map_of_the_wrong_shape_or_length_is_refused():
    with pytest.raises(ValueError, match="give a map of that shape"):
        block_mask(torch.ones(2, 2, dtype=torch.bool), 200, 100)
    with pytest.raises(ValueError, match="fit no kernel"):
        block_mask(torch.ones(10, 10, dtype=torch.bool), 100, 100, rows=10, columns=10)
    mask = block_mask(torch.ones(1, 1, dtype=torch.bool, device=DEVICE), 30, 30)
    q, k, v, _ = drawn(2, (1, 1), 31, 30, 16)
    with pytest.raises(ValueError, match="make one for them"):
        flash_attention(q, k, v, block_mask=mask)


@metered
@pytest.mark.parametrize("seed", range(5))
def test_the_meter_counts_what_the_formulas_say(seed):
    draw = Random(seed)
    t, s, d = draw.randint(10, 80), draw.randint(10, 80), draw.choice([16, 24, 32])
    heads, dtype = draw.choice([(2, 1), (1, 1), (3, 3)]), draw.choice([torch.float32, torch.float16])
    left, right = draw.choice([(-1, -1), (-1, 0), (17, 0), (11, 6)])
    tile, problem = Tile(draw.choice([16, 32]), draw.choice([16, 32])), Problem(left, right, 1.0)
    q, k, v, cotangent = drawn(seed, heads, t, s, d, dtype, batch=1)
    asked = {"rows": tile.rows, "columns": tile.columns, "left": left, "right": right}
    for backward in (False, True):
        out, lse = run_forward(q, k, v, problem, tile)
        zero = torch.zeros_like(lse)
        with Meter() as meter:
            if backward:
                saved = prepare(cotangent, zero, (q, k, v, out, lse), problem)
                run_queries(saved, problem, tile)
                run_keys(saved, problem, tile)
            else:
                run_forward(q, k, v, problem, tile)
        report = meter.report()
        moved = attention_bytes(q.shape, k.shape, itemsize=q.element_size(), backward=backward, **asked)
        assert (report["loaded"], report["stored"]) == (moved.loaded, moved.stored)
        assert meter.dot_flops == attention_flops(q.shape, k.shape, backward=backward, **asked)
        assert not meter.findings


@metered
def test_tiles_that_are_absent_load_no_byte_and_compute_nothing():
    tiles = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    mask = block_mask(tiles, 96, 64, rows=32, columns=16, full=tiles)
    q, k, v, _ = drawn(3, (1, 1), 96, 64, 16, batch=1)
    with Meter() as meter:
        out = flash_attention(q, k, v, block_mask=mask)
    loaded = sum(meter.traffic["attention_forward", f"{name}_source"].loaded for name in "qkv")
    moved = attention_bytes(q.shape, k.shape, rows=32, columns=16, itemsize=4, tiles=visited(tiles))
    assert loaded == moved.loaded == 4 * 16 * (96 + 2 * 16 * 6)
    assert meter.dot_flops == attention_flops(q.shape, k.shape, rows=32, columns=16, tiles=visited(tiles))
    assert not meter.findings
    assert (out[:, :, 32:64] == 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_both_sides_visit_every_tile_that_holds_a_pair(seed):
    draw = Random(seed)
    t, s, left, right = (draw.randint(low, 90) for low in (1, 1, -1, -1))
    ok = pairs(t, s, left, right)
    holding = {(a // 16, b // 32) for a, b in ok.nonzero().tolist()}
    assert holding <= set(visited_tiles(t, s, 16, 32, left, right))
    assert holding <= set(visited_blocks(t, s, 16, 32, left, right))


def test_causal_attention_computes_little_more_than_half():
    shape = (1, 1, 1024, 64)
    causal, full = (attention_flops(shape, shape, rows=64, columns=64, right=right) for right in (0, -1))
    assert causal / full == (16 + 1) / 32
