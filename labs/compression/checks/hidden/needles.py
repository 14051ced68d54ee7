"""Task 7: which tokens SnapKV keeps, a long context with needles in it, and attention over four bits."""

from __future__ import annotations

import numpy as np
from kv_oracle import Array, attention, softmax

GROUP = 64


def chosen(q: Array, k: Array, budget: int, kernel: int) -> Array:
    """SnapKV head by head and token by token, in float64."""
    heads, window, dim = q.shape
    before = k.shape[1] - window
    kept = []
    for head in range(heads):
        votes = np.zeros(before)
        for i in range(window):
            seen = before + i + 1
            votes += softmax(k[head, :seen] @ q[head, i] / np.sqrt(dim))[:before]
        padded = np.concatenate((np.zeros(kernel // 2), votes, np.zeros(kernel // 2)))
        pooled = [padded[at : at + kernel].mean() for at in range(before)]
        best = sorted(sorted(range(before), key=lambda at: -pooled[at])[: budget - window])
        kept.append([*best, *range(before, k.shape[1])])
    return np.array(kept, np.int64)


def haystack(rng: np.random.Generator, *, heads: int, tokens: int, window: int, dim: int) -> tuple[Array, Array, Array]:
    """Queries (H, W, D), keys (H, N, D), and which tokens are a needle's, bool (H, N).

    A needle is a run of nine tokens. Two of them answer to a direction that the window's queries look along; the other seven are
    seen only later. Passing tokens, alone, answer to directions that one query each looks along, and more strongly.
    """
    k, needles = rng.normal(size=(heads, tokens, dim)) * 0.3, np.zeros((heads, tokens), bool)
    q = rng.normal(size=(heads, window, dim)) * 0.3
    starts = np.arange(12, tokens - window - 12, 20)
    for head in range(heads):
        asked, passing = np.linalg.qr(rng.normal(size=(dim, dim)))[0][:2]
        q[head] += 5.0 * asked
        q[head, rng.integers(window, size=2)] += 6.0 * passing
        places = rng.permutation(starts)
        for start in places[:4]:
            needles[head, start : start + 9] = True
            k[head, start + rng.choice([3, 4, 5], size=2, replace=False)] += 4.0 * asked
        k[head, places[4:] + rng.integers(9, size=len(places) - 4)] += 4.4 * passing
    return q, k, needles


def unpacked(codes: Array) -> Array:
    """Channels of bytes: lower halves first."""
    return np.concatenate((codes & 15, codes >> 4), -1).astype(np.float64)


def cache(rng: np.random.Generator, *, batch: int, heads: int, kv_heads: int, n: int, d: int) -> list[Array]:
    """A query and a cache in four bits, as `quantized_decode` takes them."""
    codes = [rng.integers(0, 256, size=(batch, kv_heads, n, d // 2), dtype=np.uint8) for _ in "kv"]
    small = [
        rng.uniform(0.02, 0.3, size=(batch, kv_heads, n // GROUP, d)),
        rng.normal(size=(batch, kv_heads, n // GROUP, d)) - 1,
    ]
    few = [rng.uniform(0.02, 0.3, size=(batch, kv_heads, n)), rng.normal(size=(batch, kv_heads, n)) - 1]
    q = rng.normal(size=(batch, heads, d))
    half = [one.astype(np.float16) for one in (q, *small, *few)]
    return [half[0], codes[0], half[1], half[2], codes[1], half[3], half[4]]


def decoded(arrays: list[Array]) -> Array:
    """Attention over the cache written out, in float64."""
    q, k_codes, k_scale, k_zero, v_codes, v_scale, v_zero = (
        one.astype(np.float64) if one.dtype == np.float16 else one for one in arrays
    )
    k = unpacked(k_codes) * np.repeat(k_scale, GROUP, 2) + np.repeat(k_zero, GROUP, 2)
    v = unpacked(v_codes) * v_scale[..., None] + v_zero[..., None]
    group = q.shape[1] // k.shape[1]
    k, v = (np.repeat(one, group, 1) for one in (k, v))
    return attention(q[:, :, None], k, v)[:, :, 0]
