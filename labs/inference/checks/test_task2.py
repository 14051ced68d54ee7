"""Task 2, public checks: a sum in pieces, two results joined, and attention in tiles that fit."""

from __future__ import annotations

import dense
import numpy as np
import pytest
from answers import pair

pytestmark = pytest.mark.task("2")


@pytest.mark.points(1)
@pytest.mark.hint("When the maximum grows from m to m', what was summed so far shrinks by exp(m - m').", handout="2.6")
def test_sum_in_pieces(student, rng, expect):
    """online_logsumexp: three chunks of different widths"""
    chunks = [rng.normal(size=(4, width)).astype(np.float32) * 3 for width in rng.integers(1, 9, size=3)]
    want = dense.log_sum_exp(np.concatenate(chunks, axis=-1).astype(np.float64))
    expect.near(student.call("logsumexp_of_chunks", chunks=chunks), want, "float32", what="log of the sum")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Each output counts by its share of the denominator, exp(ℓ_i - ℓ); the two shares sum to one.", handout="2.6"
)
def test_two_parts(student, rng, expect):
    """merge: two sets of keys"""
    q, k, v = (rng.normal(size=(2, n, 8)).astype(np.float32) for n in (5, 12, 12))
    cut = int(rng.integers(2, 11))
    everything = dense.attention(q, k, v, np.ones((5, 12), bool))
    halves = [
        dense.attention(q, k[:, at], v[:, at], np.ones((5, k[:, at].shape[1]), bool))
        for at in (slice(cut), slice(cut, None))
    ]
    parts = [[one.astype(np.float32) for one in half] for half in halves]
    out, lse = pair(expect, student.call("merged", parts=parts))
    expect.near(out, everything[0], "float32", what="output")
    expect.near(lse, everything[1], "float32", what="log denominator")


@pytest.mark.points(1.5)
@pytest.mark.hint("The output so far shrinks with the sum so far; divide once, at the end.", handout="2.7")
def test_tiles_that_fit(student, rng, expect):
    """tiled_attention: whole tiles, all pairs"""
    q, k, v = (rng.normal(size=(2, n, 8)).astype(np.float32) * 2 for n in (20, 32, 32))
    out, lse = pair(expect, student.call("tiled", q=q, k=k, v=v, tile=8))
    want = dense.attention(q, k, v, np.ones((20, 32), bool))
    expect.near(out, want[0], "float32", what="output")
    expect.near(lse, want[1], "float32", what="log denominator")
