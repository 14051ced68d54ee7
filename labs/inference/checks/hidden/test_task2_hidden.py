"""Task 2, hidden checks: uneven tiles, masks, large scores, sets without keys, half precision, and the bytes that are alive."""

from __future__ import annotations

import dense
import numpy as np
import pytest
from answers import field, number, pair

pytestmark = [pytest.mark.task("2"), pytest.mark.hidden]

INFINITE = np.float32(-np.inf)


def check(student, rng, expect, what, *, n, m, dtype="float32", times=1.0, mask=None, roundings=16.0, **settings):
    """Output and log denominators of random inputs against the definition."""
    q, k, v = ((rng.normal(size=(2, size, 8)) * times).astype(dtype) for size in (n, m, m))
    sent = settings | ({} if mask is None else {"mask": mask})
    out, lse = pair(expect, student.call("tiled", q=q, k=k, v=v, **sent))
    visible = dense.visible_pairs(n, m, causal=settings.get("causal", False), mask=mask)
    want = dense.attention(q, k, v, visible, settings.get("scale"))
    expect.near(out, want[0], dtype, what=f"output, {what}", roundings=roundings)
    expect.near(lse, want[1], "float32", what=f"log denominator, {what}", roundings=64)


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "The last tile is narrower; query i sees the keys j ≤ i + M - N, counted over all of them.", handout="2.7"
)
def test_uneven_tiles(student, rng, expect):
    """tiled_attention: no multiple of the tile, causal, other numbers of queries and keys, a scale"""
    for n, m in ((19, 19), (7, 30), (1, 23)):
        tile = int(rng.integers(4, 12))
        for causal in (False, True):
            check(
                student, rng, expect, f"N={n}, M={m}, tile={tile}, causal={causal}", n=n, m=m, tile=tile, causal=causal
            )
    check(student, rng, expect, "tile above M", n=5, m=9, tile=64, scale=float(rng.uniform(0.1, 2.0)))


@pytest.mark.points(1)
@pytest.mark.hint(
    "Where a row's maximum is -∞, subtract 0 instead of it; where its sum is 0, divide by 1.", handout="2.6"
)
def test_rows_that_see_nothing(student, rng, expect):
    """tiled_attention: masks, rows that see nothing, and rows whose first tiles are masked"""
    n, m = 14, 27
    mask = rng.random((n, m)) < 0.4
    mask[3], mask[9] = False, False
    mask[5, :16], mask[5, 20], mask[6, 8:] = False, True, False
    mask[6, 2] = True
    check(student, rng, expect, "with a mask", n=n, m=m, tile=8, mask=mask)
    check(student, rng, expect, "with a mask and causal", n=n, m=m, tile=5, mask=mask, causal=True)


@pytest.mark.points(1)
@pytest.mark.hint(
    "exp of a difference to the maximum is at most 1; exp of a score of 10,000 is not a number.", handout="2.6"
)
def test_large_scores(student, rng, expect):
    """Scores up to ±10⁴, and chunks of -∞: online_logsumexp and tiled_attention"""
    chunks = [rng.uniform(-1e4, 1e4, size=(6, width)).astype(np.float32) for width in (3, 1, 5)]
    chunks.insert(int(rng.integers(4)), np.full((6, 4), INFINITE))
    chunks[0][2], chunks[1][2], chunks[2][2], chunks[3][2] = (INFINITE,) * 4
    want = dense.log_sum_exp(np.concatenate(chunks, axis=-1).astype(np.float64))
    got = student.call("logsumexp_of_chunks", chunks=chunks)
    expect.near(got, want, "float32", what="log of the sum", roundings=4)
    q, k, v = (rng.normal(size=(1, n, 8)).astype(np.float32) for n in (9, 21, 21))
    q, k = np.sign(q) * 64, np.sign(k) * 20  # whole numbers, so that scores are exact
    out, lse = pair(expect, student.call("tiled", q=q, k=k, v=v, tile=6, scale=1.0))
    want_out, want_lse = dense.attention(q, k, v, np.ones((9, 21), bool), 1.0)
    # whoever joins tiles by `merge` knows ℓ near 10,240, and so each share, to a rounding of ℓ: once for each of four tiles
    expect.near(out, want_out, "float32", what="output at scores of up to 10,240", roundings=4 * 10_240)
    expect.near(lse, want_lse, "float32", what="log denominator at scores of up to 10,240", roundings=4)


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Shares are exp(ℓ_i - ℓ); where ℓ is -∞ neither side has keys, and both shares are zero.", handout="2.6"
)
def test_many_parts(student, rng, expect):
    """merge: sets without keys, far-away denominators, and many parts"""
    out = rng.normal(size=(5, 3, 8)).astype(np.float32)
    lse = rng.uniform(-300, 300, size=(5, 3)).astype(np.float32)
    lse[1], out[1] = INFINITE, 0
    lse[:, 2], out[:, 2] = INFINITE, 0
    got = pair(expect, student.call("merged", parts=[[a, b] for a, b in zip(out, lse, strict=True)]))
    whole = dense.log_sum_exp(lse.T.astype(np.float64))
    shares = np.exp(lse - np.where(np.isfinite(whole), whole, 0))
    # ℓ near 300 is known to 3e-5, and so is each share
    expect.near(got[0], (out * shares[..., None]).sum(axis=0), "float32", what="output", roundings=2048)
    expect.near(got[1], whole, "float32", what="log denominator")


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Bring queries, keys and values to float32 tile by tile, and the output back at the end.", handout="2.7"
)
def test_half_precision(student, rng, expect):
    """tiled_attention: float16 in, float32 sums, float16 out"""
    check(student, rng, expect, "in float16", n=17, m=400, tile=32, dtype="float16", times=2.0, roundings=1.0)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Keep one column of tiles of scores, and of each query the maximum, the sum and the output so far.", handout="2.7"
)
def test_bytes_alive(student, rng, expect, measure):
    """Bytes alive at once, against one column of tiles"""
    heads, n, tile = 2, 1024, 16
    q, k, v = (rng.normal(size=(heads, n, 8)).astype(np.float32) for _ in "qkv")
    got = student.call("peak_of_tiles", q=q, k=k, v=v, tile=tile)
    out, lse = pair(expect, field(expect, got, "answer"))
    want = dense.attention(q, k, v, np.ones((n, n), bool))
    expect.near(out, want[0], "float32", what="output", roundings=64)
    expect.near(lse, want[1], "float32", what="log denominator", roundings=64)
    peak, flops = (number(expect, field(expect, got, name), name) for name in ("peak", "flops"))
    least = 4 * heads * n * n * 8
    expect.that(
        flops >= least and peak >= want[0].size * 4,
        f"{flops:,.0f} operations and {peak:,.0f} bytes were counted; no program does it with less than {least:,} operations "
        "and the output itself: write products as matrix products, in torch.",
    )
    column = 4 * heads * n * tile
    measure.ratio("bytes alive / one column of tiles", peak / column, full_at=8.0, zero_at=n / tile)
