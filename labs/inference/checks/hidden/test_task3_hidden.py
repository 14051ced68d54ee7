"""Task 3, hidden checks: types, odd sizes, strides, grouped heads, and the traffic and work by the meter."""

from __future__ import annotations

import kernels
import numpy as np
import pytest

from grader.checks.timing import CheckHeld

pytestmark = [pytest.mark.task("3"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "Mask rows and columns that lie outside, with `other`, and scores of columns outside with -∞.", handout="2.8"
)
def test_odd_sizes(student, rng, expect):
    """flash_attention: sizes that are no multiples of the tiles, and more keys than queries"""
    for causal in (False, True):
        n = int(rng.integers(17, 40))
        m = n + int(rng.integers(1, 30)) if causal else int(rng.integers(33, 60))
        inputs = kernels.drawn(rng, (1, 1, 1, n, m), 16)
        scale = float(rng.uniform(0.2, 0.5))
        kernels.compared(
            student, expect, inputs, what=f"N={n}, M={m}", causal=causal, scale=scale, block_m=32, block_n=16
        )


@pytest.mark.points(1)
@pytest.mark.hint("Each tensor has strides of its own for all four axes; the last one need not be 1.", handout="2.8")
def test_strides(student, rng, expect):
    """flash_attention: heads inside of tokens, turned round, and parts of larger tensors"""
    for layout in ("heads inside", "turned", "inside"):
        inputs = kernels.drawn(rng, (2, 2, 2, 21, 37), 16)
        kernels.compared(student, expect, inputs, what=layout, layout=layout, block_m=32, block_n=32)


@pytest.mark.points(0.75)
@pytest.mark.hint("Query head h reads key head h // (H / H_kv), of its own sequence.", handout="2.8")
def test_grouped_heads(student, rng, expect):
    """flash_attention: six query heads and two key heads"""
    kernels.compared(student, expect, kernels.drawn(rng, (2, 6, 2, 18, 18), 16), causal=True, block_m=16, block_n=16)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Accumulate in float32 and round the result once; scores of thousands must not overflow.", handout="2.8"
)
def test_half_precision(student, rng, expect):
    """flash_attention: float16, and large scores"""
    q, k, v = kernels.drawn(rng, (1, 1, 1, 40, 250), 16, "float16")
    kernels.compared(student, expect, (q, k, np.abs(v)), block_m=64, block_n=16)
    q, k, v = kernels.drawn(rng, (1, 1, 1, 32, 48), 16)
    inputs = (np.sign(q) * 32, np.sign(k) * 16, v)
    kernels.compared(student, expect, inputs, what="at scores up to 8,192", scale=1.0, block_m=32, block_n=16)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Keys and values are read once for each tile of queries, and each query once: the taller the tile, the fewer.",
    handout="2.9",
)
def test_bytes_loaded(student, rng, expect, measure):
    """Bytes loaded, against the formula at four heights of a tile"""
    n, d = 256, 16
    inputs, loaded = kernels.drawn(rng, (1, 1, 1, n, n), d), {}
    once = sum(one.nbytes for one in inputs)
    for block_m in kernels.HEIGHTS:
        got = kernels.compared(student, expect, inputs, what=f"BLOCK_M {block_m}", block_m=block_m, block_n=128)
        loaded[block_m] = kernels.counted(expect, got, "loaded") + kernels.counted(expect, got, "atomic")
        if loaded[block_m] < once:
            raise CheckHeld(f"It claims {loaded[block_m]:,.0f} bytes loaded; the inputs alone have {once:,}.")
    ratios = {one: loaded[one] / kernels.formula(n, d, 1, one) for one in loaded}
    worst = max(ratios, key=lambda one: ratios[one])
    says = kernels.told_traffic(measure, n=n, d=d, heads=1, block_m=worst, loaded=loaded[worst])
    by_height = ", ".join(f"{one}: {moved:,.0f}" for one, moved in loaded.items())
    name = f"bytes loaded / the formula's at BLOCK_M {worst} (by BLOCK_M {by_height}. {says})"
    measure.ratio(name, ratios[worst], full_at=1.05, zero_at=3.0)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint("The loop of a causal program ends at the last key that its last query sees.", handout="2.9")
def test_tiles_skipped(student, rng, expect, measure):
    """Operations of a causal call, against those of a full one"""
    n, d = 128, 16
    inputs, tiles = kernels.drawn(rng, (1, 1, 1, n, n), d), {"block_m": 16, "block_n": 16}
    full, causal = (
        kernels.counted(expect, kernels.compared(student, expect, inputs, causal=causal, **tiles), "dot_flops")
        for causal in (False, True)
    )
    pairs = {"full": n * n, "causal": n * (n + 1) // 2}
    for name, count in (("full", full), ("causal", causal)):
        expect.that(
            count >= 4 * d * pairs[name],
            f"{count:,.0f} operations of tl.dot were counted in the {name} call, fewer than its pairs need: compute products with tl.dot.",
        )
    measure.ratio("operations, causal / full", causal / full, full_at=0.6, zero_at=1.0)
