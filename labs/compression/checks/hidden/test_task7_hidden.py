"""Task 7, hidden checks: tokens in any portions, long streams, eviction, SnapKV's choice, four bits in a kernel, and needles."""

from __future__ import annotations

import kv_oracle as oracle
import numpy as np
import pytest
from answers import field, number
from hidden import needles

from grader.checks.timing import CheckHeld

pytestmark = [pytest.mark.task("7"), pytest.mark.hidden]


def drawn(rng, *shape):
    """Standard normal numbers, float32."""
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "Quantize from the numbers that came, once. All that matters is how many tokens there are, not in what portions they came.",
    handout="3.29",
)
def test_tokens_in_any_portions(student, rng, expect):
    """KiviCache: portions of all sizes, 1 to 8 bits, few tokens, equal numbers, outliers"""
    for bits, group, residual in ((2, 4, 4), (4, 8, 16), (1, 4, 12), (8, 2, 6)):
        parts = [1, 2, int(rng.integers(1, 2 * residual)), 1, int(rng.integers(20, 40)), 1, 1]
        total, sizes = sum(parts), {"bits": bits, "group": group, "residual": residual}
        k, v = drawn(rng, 3, total, 16), drawn(rng, 3, total, 16)
        k[:, :, 5] *= 30
        k[1, :, 3], v[:, 2] = 1.5, -2.0
        states = student.call("kivi_states", k=k, v=v, parts=parts, **sizes)
        for count, state in zip(np.cumsum(parts), states, strict=True):
            oracle.check_kivi(expect, state, (k[:, :count], v[:, :count]), sizes, f"{count} tokens, {sizes}")


@pytest.mark.points(1)
@pytest.mark.hint(
    "The newest token's query stands at n - 1, and a ring that has turned many times is read from its oldest.",
    handout="3.30",
)
def test_long_streams(student, rng, expect):
    """StreamingCache: many turns, no sinks, a window of one"""
    for sinks, window, tokens in ((4, 9, 70), (0, 5, 23), (3, 1, 12)):
        given = {name: drawn(rng, 2, tokens, 8) for name in "kvq"} | {"sinks": sinks, "window": window}
        looks = sorted({1, sinks + window, sinks + window + 1, *map(int, rng.integers(1, tokens, size=5)), tokens})
        states = student.call("streamed", looks=looks, **given)
        for count, state in zip(looks, states, strict=True):
            oracle.check_streaming(expect, state, count, given)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "The softmax is over the tokens in the cache, the new one among them, before anybody goes.", handout="3.31"
)
def test_who_is_evicted(student, rng, expect):
    """heavy_hitters: random scores, a few recent ones, budgets that are never reached"""
    for tokens, budget, recent in ((60, 12, 4), (50, 10, 9), (40, 6, 1), (12, 20, 3)):
        scores = rng.normal(size=(tokens, tokens)) * 3 + rng.normal(size=tokens) * 2
        got = student.call("hitters", scores=scores, budget=budget, recent=recent)
        expect.equal(
            got,
            np.array(oracle.heavy(scores, budget, recent)),
            what=f"{tokens} tokens, budget {budget}, {recent} recent",
        )


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "The window's queries see each other, causally, and these shares count in the softmax; then sum over queries and pool.",
    handout="3.31",
)
def test_snapkv(student, rng, expect):
    """snapkv: several heads, windows and kernels"""
    for heads, window, tokens, budget, kernel in ((3, 6, 60, 20, 5), (2, 4, 40, 10, 1), (1, 12, 50, 30, 7)):
        q, k = rng.normal(size=(heads, window, 16)) * 2, rng.normal(size=(heads, tokens, 16))
        k[:, -window:] *= 2
        got = student.call("attention_kept", q=q, k=k, budget=budget, kernel=kernel)
        expect.equal(
            got, needles.chosen(q, k, budget, kernel), what=f"tokens that stay, window {window}, kernel {kernel}"
        )


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Each byte is read once for all query heads of its key head. Fold scales into queries and weights; sum in float32.",
    handout="3.32",
)
def test_attention_over_four_bits(student, rng, expect):
    """quantized_decode in the interpreter: grouped heads, and the bytes that it reads"""
    for batch, heads, kv_heads, n, d in ((1, 6, 2, 128, 32), (2, 2, 2, 64, 64)):
        arrays = needles.cache(rng, batch=batch, heads=heads, kv_heads=kv_heads, n=n, d=d)
        got = student.call("quantized_attention", arrays=arrays)
        for sentence in field(expect, got, "found"):
            expect.that(False, f"The meter found a fault. {sentence}")
        expect.near(
            field(expect, got, "out"),
            needles.decoded(arrays),
            "float16",
            what=f"{heads} heads, {kv_heads} of keys",
            roundings=8,
        )
        once = sum(one.nbytes for one in arrays)
        loaded = number(expect, field(expect, got, "loaded"), "the count")
        expect.that(loaded <= 1.1 * once, f"{loaded:,.0f} bytes are loaded, and the cache has {once:,}: read it once")
        if loaded < once:
            raise CheckHeld(f"It claims {loaded:,.0f} bytes loaded; the inputs have {once:,}.")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "What a needle says stands beside what was looked at. Average votes over as many neighbours as a needle has.",
    handout="3.31",
)
def test_needles(student, rng, expect, measure):
    """keep_tokens: the share of the needles' tokens that stay with a budget of a fifth"""
    shares = []
    for _ in range(6):
        q, k, hidden = needles.haystack(rng, heads=4, tokens=400, window=16, dim=32)
        got = student.call("needles_kept", q=q, k=k, budget=80)
        expect.that(
            isinstance(got, np.ndarray) and got.shape == (4, 80) and got.dtype == np.int64,
            "keep_tokens returned no (4, 80) of int64",
        )
        expect.that(
            (np.diff(got, axis=1) > 0).all() and got.min() >= 0 and got.max() < 400,
            "the tokens do not rise, or are none",
        )
        kept = np.zeros_like(hidden)
        np.put_along_axis(kept, got, True, 1)
        shares.append((kept & hidden).sum() / hidden.sum())
    measure.ratio("needles' tokens that stay / all", float(np.mean(shares)), full_at=0.9, zero_at=0.4)
