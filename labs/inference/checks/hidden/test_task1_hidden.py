"""Task 1, hidden checks: offsets, slots, grouped heads, ragged batches, the cache's type, and the work."""

from __future__ import annotations

import decoder
import numpy as np
import pytest
from answers import field, number
from hidden import generation_work

pytestmark = [pytest.mark.task("1"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "Turn by the position in the sequence, not by the place in the chunk; compute in float32 whatever the input is.",
    handout="2.4",
)
def test_rope_offset(student, rng, expect):
    """rope: in pieces as in one, far from the start, and in half precision"""
    x = rng.normal(size=(1, 2, 6, 16)).astype(np.float32)
    positions = np.arange(6)[None] + int(rng.integers(1000, 4000))
    whole = student.call("rotated", x=x, positions=positions)
    expect.near(
        whole,
        decoder.turned(x[0], positions[0])[None],
        "float32",
        what="turned heads far from the start",
        roundings=4096,
    )
    pieces = [
        student.call("rotated", x=x[:, :, part], positions=positions[:, part]) for part in (slice(0, 2), slice(2, 6))
    ]
    expect.close(np.concatenate(pieces, axis=2), whole, what="the same in two pieces", rtol=0, atol=1e-6)
    half, near = x.astype(np.float16), np.arange(6)[None] + 300
    got = student.call("rotated", x=half, positions=near)
    expect.near(
        got,
        decoder.turned(half[0].astype(np.float64), near[0])[None],
        "float16",
        what="turned heads in float16",
        roundings=1,
    )


@pytest.mark.points(1)
@pytest.mark.hint(
    "The token at position p lies in slot p, in the cache's dtype; padding is written nowhere; `read` returns views.",
    handout="2.5",
)
def test_slots(student, rng, expect):
    """KVCache: slots, padding that is left out, two writes, its type, and views"""
    config, _ = decoder.random_model(rng, kv_heads=int(rng.integers(1, 4)), layers=2)
    shape = (3, config["kv_heads"], 5, config["head_dim"])
    want = [np.zeros(shape, np.float16) for _ in "kv"]
    at = [np.array([[-1, -1, 0, 1], [0, 1, 2, -1], [0, 1, 2, 3]]), np.array([[2], [-1], [4]])]
    writes = []
    for positions in at:
        tokens = positions.shape[1]
        new = [rng.normal(size=(3, config["kv_heads"], tokens, config["head_dim"])).astype(np.float32) for _ in "kv"]
        writes.append({"k": new[0], "v": new[1], "positions": positions})
        for (row, column), slot in np.ndenumerate(positions):
            for store, one in zip(want, new, strict=True):
                if slot >= 0:
                    store[row, :, slot] = one[row, :, column]
    got = student.call("cache_trace", config=config, batch=3, capacity=5, dtype="float16", writes=writes)
    for name, store in zip("kv", want, strict=True):
        expect.close(field(expect, got, name), store, what=f"what read returns of {name}", rtol=0, atol=0)
    expect.that(field(expect, got, "shared") is True, "read should return views of the cache, and not copies")
    expect.that(not np.any(field(expect, got, "first")), "a write to one layer changed another")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Query heads 0 … H/H_kv - 1 read the first key head; whatever lies in slots after p is not seen by position p.",
    handout="2.5",
)
def test_cached_attention(student, rng, expect):
    """cached_attention: grouped heads, unused slots, padding, half precision"""
    for kv_heads, dtype in ((2, "float32"), (6, "float32"), (1, "float16")):
        q = rng.normal(size=(2, 6, 4, 8)).astype(dtype)
        k, v = (rng.normal(size=(2, kv_heads, 9, 8)).astype(dtype) for _ in "kv")
        positions = np.array([[-1, 2, 3, 4], [5, 6, 7, -1]])
        for store in (k, v):
            store[0, :, 5:], store[1, :, 8:] = 900.0, -900.0  # not in use yet
        want = [
            decoder.attention(
                *(one[row].astype(np.float64) for one in (q, k, v)), np.arange(9) <= positions[row][:, None]
            )
            for row in range(2)
        ]
        got = student.call("attended", q=q, k=k, v=v, positions=positions)
        expect.near(
            got,
            np.stack(want),
            dtype,
            what=f"attention with {kv_heads} key heads in {dtype}",
            roundings=2 if dtype == "float16" else 16,
        )


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Each row goes on from its own length: the next position is that of its last real token plus one.", handout="2.4"
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_ragged_batch(student, rng, expect, side):
    """generate_tokens: prompts of four lengths, each as if it were alone, padded at the"""
    lengths = [int(one) for one in rng.permutation([1, 3, 6, 9])]
    config, weights, prompts, want = decoder.clear_case(rng, lengths, 5, kv_heads=1)
    tokens, mask = decoder.padded(prompts, rng, side)
    got = student.call("generated", config=config, weights=weights, tokens=tokens, mask=mask, steps=5)
    expect.close(got, want, what=f"tokens with padding at the {side}", rtol=0, atol=0)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Keys and values are rounded once, when they are written; everything else stays in float32.", handout="2.5"
)
def test_cache_dtype(student, rng, expect):
    """generate_tokens: with a cache in float16"""
    config, weights, prompts, want = decoder.clear_case(rng, [4, 7], 5, "float16", kv_heads=4)
    tokens, mask = decoder.padded(prompts, rng, "left")
    got = student.call("generated", config=config, weights=weights, tokens=tokens, mask=mask, steps=5, dtype="float16")
    expect.close(got, want, what="tokens", rtol=0, atol=0)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "In each step one token a row goes through the model, attends to the slots in use, and only the last one has logits.",
    handout="2.11",
)
def test_work(student, rng, expect, measure):
    """Operations of a generation, against the best with a cache"""
    lengths, steps = [int(one) for one in rng.permutation([5, 8, 12])], 20
    config, weights, prompts, want = decoder.clear_case(rng, lengths, steps, vocabulary=257, layers=1)
    tokens, mask = decoder.padded(prompts, rng, "left")
    got = student.call("counted_generation", config=config, weights=weights, tokens=tokens, mask=mask, steps=steps)
    expect.close(field(expect, got, "tokens"), want, what="tokens", rtol=0, atol=0)
    counted, best = (
        number(expect, field(expect, got, "flops"), "the count"),
        generation_work.with_cache(config, lengths, steps),
    )
    expect.that(
        counted >= generation_work.least(config, lengths, steps),
        f"{counted:,.0f} operations were counted, fewer than any program needs: write products as matrix products, in torch.",
    )
    measure.ratio(
        "operations / those of the best with a cache",
        counted / best,
        full_at=1.11,
        zero_at=generation_work.without_cache(config, lengths, steps) / best,
    )
