"""Task 7: caches as lists of tokens, attention by its definition, and looking at what came back."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
PARTS = ("k_codes", "k_scale", "k_zero", "v_codes", "v_scale", "v_zero", "k_recent", "v_recent")


# ---- KIVI


def check_kivi(expect: Any, state: Any, tokens: tuple[Array, Array], sizes: dict[str, int], what: str) -> None:
    """A state after the tokens k and v (H, T, D): who is quantized, how, and what is read."""
    expect.that(isinstance(state, dict) and isinstance(state.get("stored"), dict), f"{what}: nothing is stored")
    stored, (bits, group, residual) = state["stored"], (sizes[name] for name in ("bits", "group", "residual"))
    k, v = tokens
    heads, count, dim = k.shape
    old = {"k": count - count % residual, "v": max(0, count - residual)}
    shapes = {"k": (heads, old["k"] // group, dim), "v": (heads, old["v"], dim // group)}
    for which, x, axis in (("k", k, 1), ("v", v, 2)):
        codes, scale, zero, recent = (stored.get(f"{which}_{name}") for name in ("codes", "scale", "zero", "recent"))
        expect.equal(recent, x[:, old[which] :], what=f"{what}: {which}_recent")
        is_array = isinstance(codes, np.ndarray)
        expect.that(
            is_array and codes.dtype == np.uint8 and codes.shape == (heads, old[which], dim),
            f"{what}: {which}_codes should be uint8 {(heads, old[which], dim)}",
        )
        low, high = _ends(x[:, : old[which]], axis, group)
        # all is float32; a number that is as far from two codes may have either
        expect.close(zero, low, what=f"{what}: {which}_zero", rtol=1e-6, atol=1e-7)
        expect.that(zero.shape == shapes[which], f"{what}: {which}_zero should have the shape {shapes[which]}")
        expect.close(scale, (high - low) / (2**bits - 1), what=f"{what}: {which}_scale", rtol=1e-5, atol=1e-7)
        meant = _meant(codes, scale, zero, axis, group)
        steps = np.abs(meant - x[:, : old[which]]) / np.maximum(np.repeat(scale, group, axis), 1e-6)
        expect.that(codes.size == 0 or (codes < 2**bits).all(), f"{what}: a code of {which} has more than {bits} bits")
        expect.that(
            codes.size == 0 or steps.max() < 0.501,
            f"{what}: {which}_codes are off by {steps.max(initial=0):.2f} steps, more than half a step",
        )
        read = np.concatenate((meant, x[:, old[which] :]), 1)
        expect.close(state.get(which), read.astype(x.dtype), what=f"{what}: {which} as read", rtol=1e-5, atol=1e-5)


def _ends(x: Array, axis: int, group: int) -> tuple[Array, Array]:
    """Smallest and largest of each group of neighbours along an axis."""
    shape = list(x.shape)
    shape[axis : axis + 1] = [shape[axis] // group, group]
    groups = x.reshape(shape)
    return groups.min(axis + 1), groups.max(axis + 1)


def _meant(codes: Array, scale: Array, zero: Array, axis: int, group: int) -> Array:
    return np.asarray(codes * np.repeat(scale, group, axis) + np.repeat(zero, group, axis))


def counted_bytes(stored: dict[str, Array], bits: int) -> float:
    """Codes of so many bits, all other numbers of two bytes."""
    return float(sum(one.size * (bits / 8 if name.endswith("codes") else 2) for name, one in stored.items()))


# ---- StreamingLLM


def turned(x: Array, positions: Array) -> Array:
    """Rotary positions of x (..., T, D), in float64."""
    half = x.shape[-1] // 2
    pairs = x[..., :half].astype(np.float64) + 1j * x[..., half:]
    rates = 10_000.0 ** (-np.arange(half) / half)
    pairs = pairs * np.exp(1j * positions[:, None] * rates)
    return np.concatenate((pairs.real, pairs.imag), -1)


def check_streaming(expect: Any, state: dict[str, Any], tokens: int, given: dict[str, Any]) -> None:
    """A state after so many tokens: buffers, order, positions, and what is attended."""
    k, v, q, sinks, window = (given[name] for name in ("k", "v", "q", "sinks", "window"))
    slots: list[int] = []
    for token in range(tokens):
        if len(slots) < sinks + window:
            slots.append(token)
        else:
            oldest = min(slots[sinks:])
            slots[slots.index(oldest)] = token
    order, what = sorted(slots), f"after {tokens} tokens"
    for name, x in (("buffer_k", k), ("buffer_v", v)):
        want = np.zeros((len(k), sinks + window, k.shape[-1]), k.dtype)
        want[:, : len(slots)] = x[:, slots]
        expect.equal(state[name], want, what=f"{what}: {name[7:]}, the buffer")
    keys, values = turned(k[:, order], np.arange(len(order))), v[:, order]
    # sums and turns in float32 of numbers of about 1
    expect.close(state["k"], keys.astype(np.float32), what=f"{what}: keys as read", rtol=0, atol=1e-5)
    expect.equal(state["v"], values, what=f"{what}: values as read")
    query = turned(q[:, tokens - 1 : tokens], np.array([len(order) - 1]))
    out = attention(query, keys, values)[:, 0]
    expect.close(state["out"], out.astype(np.float32), what=f"{what}: attend", rtol=0, atol=2e-5)


def softmax(scores: Array) -> Array:
    """Over the last axis."""
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(shares / shares.sum(-1, keepdims=True))


def attention(q: Array, k: Array, v: Array) -> Array:
    """All queries see all keys, in float64."""
    scores = q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    return np.asarray(softmax(scores) @ v)


# ---- H2O


def heavy(scores: Array, budget: int, recent: int) -> list[int]:
    """Token by token, with a dict of totals."""
    totals: dict[int, float] = {}
    for token in range(len(scores)):
        totals[token] = 0.0
        kept = sorted(totals)
        for other, share in zip(kept, softmax(scores[token, kept]), strict=True):
            totals[other] += float(share)
        if len(kept) > budget:
            del totals[min((one for one in kept if one <= token - recent), key=lambda one: totals[one])]
    return sorted(totals)
