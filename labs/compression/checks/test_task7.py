"""Task 7, public checks: a quantized cache, a ring, heavy hitters, and a prediction of bytes."""

from __future__ import annotations

import kv_oracle as oracle
import numpy as np
import pytest
from answers import number

pytestmark = pytest.mark.task("7")


def drawn(rng, *shape):
    """Standard normal numbers, float32."""
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Keys: smallest and largest over a group of tokens, for each channel. Values: over a group of channels, for each token.",
    handout="3.29",
)
def test_kivi(student, rng, expect):
    """KiviCache: a prompt, and two tokens more"""
    k, v, sizes = drawn(rng, 2, 14, 8), drawn(rng, 2, 14, 8), {"bits": 2, "group": 4, "residual": 8}
    parts = [12, 1, 1]
    states = student.call("kivi_states", k=k, v=v, parts=parts, **sizes)
    expect.that(isinstance(states, list) and len(states) == 3, "not every state came back")
    for count, state in zip(np.cumsum(parts), states, strict=True):
        oracle.check_kivi(expect, state, (k[:, :count], v[:, :count]), sizes, f"{count} tokens")


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Read in the order of time and turn by the place in the cache: 0, 1, 2 …, whatever the token's number in the text.",
    handout="3.30",
)
def test_streaming(student, rng, expect):
    """StreamingCache: before and after the ring has turned"""
    given = {"k": drawn(rng, 2, 13, 8), "v": drawn(rng, 2, 13, 8), "q": drawn(rng, 2, 13, 8), "sinks": 2, "window": 4}
    looks = [1, 5, 6, 9, 13]
    states = student.call("streamed", looks=looks, **given)
    for tokens, state in zip(looks, states, strict=True):
        oracle.check_streaming(expect, state, tokens, given)


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "A token that was evicted gets and takes no share any more; the last `recent` tokens may not go.", handout="3.31"
)
def test_heavy_hitters(student, rng, expect):
    """heavy_hitters: one token that all look at, and random scores"""
    scores = np.zeros((9, 9))
    scores[:, 2] = 4
    scores[:, 1] = -2
    kept = student.call("hitters", scores=scores, budget=4, recent=2)
    expect.equal(kept, np.array(oracle.heavy(scores, 4, 2)), what="tokens that stay, token 2 is looked at by all")
    scores = rng.normal(size=(24, 24)) * 2
    kept = student.call("hitters", scores=scores, budget=8, recent=3)
    expect.equal(kept, np.array(oracle.heavy(scores, 8, 3)), what="tokens that stay")


@pytest.mark.points(0.5)
@pytest.mark.measured
@pytest.mark.hint(
    "Count what is quantized, for keys and for values: they differ. A group has a scale and a zero.", handout="3.29"
)
def test_prediction_of_bytes(student, rng, expect, measure):
    """Bytes of a KiviCache, as predicted and as counted"""
    residual = 8 * int(rng.integers(3, 6))
    sizes = {"bits": int(rng.choice([2, 4])), "group": 8, "residual": residual}
    # just after a block of keys was packed, when keys and values differ most in how many wait
    tokens, heads, dim = 2 * residual + int(rng.integers(8)), 2, 16
    arguments = {"tokens": tokens, "heads": heads, "dim": dim, **sizes}
    said = student.call("predicted", function="predict_kivi_bytes", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    k, v = drawn(rng, heads, tokens, dim), drawn(rng, heads, tokens, dim)
    (state,) = student.call("kivi_states", k=k, v=v, parts=[tokens], **sizes)
    oracle.check_kivi(expect, state, (k, v), sizes, f"{tokens} tokens")
    counted = oracle.counted_bytes({name: state["stored"][name] for name in oracle.PARTS}, sizes["bits"])
    measure.prediction("the bytes", predicted, counted, tolerance=0.01, zero_at=1.5)
