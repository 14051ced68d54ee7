"""A small language model in the judge: perplexity of any weights on text that it never saw, and the inputs that its matrices meet.

Idea      What a student's functions return are weights, so what they lose is computed here, from the weights. No number is trusted.
Equation  perplexity = exp(mean of -ln p(next letter | those before it))
Paper     The model and its text: `mlsys_core.workloads.small_model`, whose file is read here in numpy, so that the judge needs no torch.
Cost      2 operations a parameter and letter: a third of a second for 4,096 letters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.workloads import text

Array: TypeAlias = np.ndarray
Weights: TypeAlias = dict[str, Array]
Linear: TypeAlias = Callable[[str, Array, Array], Array]

PATH = text.PATH.parent / "small_model.npz"
LAYERS, HEADS, KV_HEADS, CONTEXT = 6, 8, 4, 256
AFTER_NORM = {"attn_norm": ("attn.q_proj", "attn.k_proj", "attn.v_proj"), "ffn_norm": ("ffn.gate_proj", "ffn.up_proj")}


@cache
def _stored() -> Weights:
    with np.load(PATH, allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def load() -> Weights:
    """The weights by name, float32; whoever asks may change the dict and not the arrays."""
    return dict(_stored())


@cache
def _codes() -> tuple[Array, Array]:
    whole = text.load()
    return text.split(text.Vocabulary.of(whole).encode(whole))


def windows(rng: np.random.Generator, count: int, *, held_out: bool, time: int = CONTEXT) -> Array:
    """Codes (count, time + 1) from places drawn at random: of the text that the model never saw, or of the one that it learned."""
    codes = _codes()[held_out]
    starts = rng.integers(len(codes) - time - 1, size=count)
    return codes[starts[:, None] + np.arange(time + 1)]


def matrices() -> list[str]:
    """Names of the matrices of all blocks."""
    return [name for name in _stored() if name.startswith("blocks.") and _stored()[name].ndim == 2]


def plain(_: str, x: Array, w: Array) -> Array:
    """A layer without rounding."""
    return x @ w.T


def norm(x: Array, weight: Array) -> Array:
    """Root mean square normalisation."""
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight


@cache
def _turns(time: int, half: int) -> tuple[Array, Array]:
    """Cosines and sines (time, half) of the rotary positions, float32."""
    angles = np.arange(time)[:, None] * 10_000.0 ** (-np.arange(half) / half)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


@cache
def _ahead(time: int) -> Array:
    """What is added to scores (time, time): -∞ for letters that are still to come."""
    return np.where(np.tri(time, dtype=bool), np.float32(0), np.float32(-np.inf))


def _rope(x: Array) -> Array:
    cos, sin = _turns(x.shape[-2], x.shape[-1] // 2)
    a, b = np.split(x, 2, -1)
    return np.concatenate((a * cos - b * sin, b * cos + a * sin), -1)


def _attention(q: Array, k: Array, v: Array) -> Array:
    """q (T, H, D), k and v (T, K, D) of one window, whose scores stay in the processor's cache; causal."""
    q, k, v = (one.transpose(1, 0, 2) for one in (q, k, v))
    k, v = (np.repeat(one, q.shape[0] // one.shape[0], axis=0) for one in (_rope(k), v))
    scores = (_rope(q) / np.sqrt(np.float32(q.shape[-1]))) @ k.transpose(0, 2, 1)
    scores += _ahead(scores.shape[-1])
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    return (scores @ v / scores.sum(-1, keepdims=True)).transpose(1, 0, 2)


def logits(weights: Weights, tokens: Array, linear: Linear = plain) -> Array:
    """Logits (B, T, vocabulary) after tokens (B, T); `linear(name, x, w)` multiplies by each matrix of the blocks."""
    batch, time = tokens.shape
    x = weights["embed.weight"][tokens]

    def layer(name: str, inputs: Array) -> Array:
        flat = linear(f"{name}.weight", inputs.reshape(-1, inputs.shape[-1]), weights[f"{name}.weight"])
        return flat.reshape(batch, time, -1)

    for block in (f"blocks.{i}" for i in range(LAYERS)):
        h = norm(x, weights[f"{block}.attn_norm.weight"])
        q, k, v = (
            layer(f"{block}.attn.{one}_proj", h).reshape(batch, time, heads, -1)
            for one, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS))
        )
        mixed = np.stack([_attention(*one) for one in zip(q, k, v, strict=True)])
        x = x + layer(f"{block}.attn.o_proj", mixed.reshape(batch, time, -1))
        h = norm(x, weights[f"{block}.ffn_norm.weight"])
        gate, up = (layer(f"{block}.ffn.{one}_proj", h) for one in ("gate", "up"))
        x = x + layer(f"{block}.ffn.down_proj", gate / (1 + np.exp(-np.maximum(gate, -80))) * up)
    return norm(x, weights["norm.weight"]) @ weights["head.weight"].T


def predictions(weights: Weights, codes: Array, linear: Linear = plain) -> Array:
    """ln p (B, T, vocabulary) of the letter after each of windows of codes (B, T + 1), float64; nan where the weights give none."""
    with np.errstate(all="ignore"):
        scores = logits(weights, codes[:, :-1], linear).astype(np.float64)
        scores -= scores.max(-1, keepdims=True)
        return np.asarray(scores - np.log(np.exp(scores).sum(-1, keepdims=True)))


def perplexity_of(said: Array, codes: Array) -> float:
    """Of predictions ln p for windows of codes; infinite where there are none."""
    chosen = np.take_along_axis(said, codes[:, 1:, None], -1)
    with np.errstate(all="ignore"):
        found = float(np.exp(-chosen.mean()))
    return found if np.isfinite(found) else float("inf")


def perplexity(weights: Weights, codes: Array, linear: Linear = plain) -> float:
    """Of windows of codes (B, T + 1); infinite where the weights are no numbers or give none."""
    return perplexity_of(predictions(weights, codes, linear), codes)


def divergence(exact: Array, found: Array) -> float:
    """Mean over letters of Σ p (ln p - ln q), in nats, for predictions ln p and ln q; infinite where q is no number."""
    with np.errstate(all="ignore"):
        nats = float((np.exp(exact) * (exact - found)).sum(-1).mean())
    return nats if np.isfinite(nats) else float("inf")


def inputs(weights: Weights, codes: Array, *, every: int = 1) -> dict[str, Array]:
    """What each matrix of the blocks is given, (letters, k), at every so many letters of windows of codes."""
    seen: dict[str, Array] = {}

    def noting(name: str, x: Array, w: Array) -> Array:
        seen[name] = np.ascontiguousarray(x[::every])
        return x @ w.T

    logits(weights, codes[:, :-1], noting)
    return seen


def with_outliers(weights: Weights, rng: np.random.Generator, channels: int = 4) -> Weights:
    """The same function with outliers: some channels of each norm times 30 to 100, and the columns that read them divided by it."""
    changed = dict(weights)
    for block in range(LAYERS):
        for one, readers in AFTER_NORM.items():
            factor = np.ones(len(weights["norm.weight"]), np.float32)
            factor[rng.choice(len(factor), channels, replace=False)] = rng.uniform(30, 100, channels)
            changed[f"blocks.{block}.{one}.weight"] = weights[f"blocks.{block}.{one}.weight"] * factor
            for reader in readers:
                changed[f"blocks.{block}.{reader}.weight"] = weights[f"blocks.{block}.{reader}.weight"] / factor
    return changed


def eight_bits(_: str, x: Array, w: Array) -> Array:
    """A layer whose inputs are rounded by token and whose weights by output, to whole numbers up to 127."""
    (a, a_scale), (b, b_scale) = (_rounded(one) for one in (x, w))
    return (a @ b.T) * a_scale * b_scale.T  # below 2^24, so float32 has the sums exactly


def _rounded(x: Array) -> tuple[Array, Array]:
    largest = np.abs(x).max(1, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.round(x / scale), scale


def damage(exact: Array, nearest: Array, found: Array) -> float:
    """How far predictions are from those before, over how far rounding to nearest took them."""
    return divergence(exact, found) / divergence(exact, nearest)


def told(codes: Array, said: dict[str, Array]) -> str:
    """Perplexities of predictions by name, for a measurement."""
    return "perplexity " + ", ".join(f"{name} {perplexity_of(one, codes):.3f}" for name, one in said.items())


def weights_of(expect: Any, answer: Any, count: int) -> list[Any]:
    """A list of one answer for each matrix."""
    expect.that(isinstance(answer, list) and len(answer) == count, f"the call returned no list of {count}")
    return list(answer)
