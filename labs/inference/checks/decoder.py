"""The model of Task 1 in numpy and float64, with no cache: what it generates, one sequence at a time, and the work of doing it well."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
Sizes = dict[str, int]
Weights = dict[str, Array]
MARGIN = 2e-3  # between the best logit and the next: below it, rounding may decide


def random_model(rng: np.random.Generator, **sizes: int) -> tuple[Sizes, Weights]:
    """Sizes and float32 weights of a small decoder."""
    config = {
        "vocabulary": 41,
        "width": 24,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 8,
        "hidden": 40,
    } | sizes
    width, d = config["width"], config["head_dim"]
    shapes: dict[str, tuple[int, ...]] = {"token": (config["vocabulary"], width), "norm": (width,)}
    shapes["head"] = (width, config["vocabulary"])
    for i in range(config["layers"]):
        shapes |= {f"{i}.norm1": (width,), f"{i}.norm2": (width,), f"{i}.q": (width, config["heads"] * d)}
        shapes |= {f"{i}.{name}": (width, config["kv_heads"] * d) for name in "kv"}
        shapes |= {f"{i}.o": (config["heads"] * d, width)}
        shapes |= {f"{i}.up": (width, config["hidden"]), f"{i}.down": (config["hidden"], width)}
    return config, {name: _weight(rng, name, shape) for name, shape in shapes.items()}


def _weight(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    scale = 1.6 / math.sqrt(shape[0])
    drawn = (
        1 + rng.normal(size=shape) / 8 if "norm" in name else rng.normal(size=shape) * (1 if name == "token" else scale)
    )
    return drawn.astype(np.float32)


def turned(x: Array, positions: Array) -> Array:
    """Rotary positions, as complex numbers: (heads, T, D), (T,)."""
    half = x.shape[-1] // 2
    turn = np.exp(1j * positions[:, None] * 10000.0 ** (-np.arange(half) / half))
    pairs = (x[..., :half] + 1j * x[..., half:]) * turn
    return np.concatenate([pairs.real, pairs.imag], axis=-1)


def attention(q: Array, k: Array, v: Array, visible: Array) -> Array:
    """q (heads, T, D), k and v (kv_heads, S, D), visible (T, S): a loop over heads and queries."""
    out = np.zeros(q.shape)
    for head, row in np.ndindex(q.shape[:2]):
        seen, mine = np.flatnonzero(visible[row]), head * len(k) // len(q)
        if len(seen):
            scores = k[mine, seen] @ q[head, row] / math.sqrt(q.shape[-1])
            shares = np.exp(scores - scores.max())
            out[head, row] = shares / shares.sum() @ v[mine, seen]
    return out


def _norm(x: Array, weight: Array) -> Array:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * weight


def logits(config: Sizes, weights: Weights, tokens: Array, stored: str) -> Array:
    """Logits after the last token; keys and values are rounded to `stored`, the type of a cache."""
    w = {name: one.astype(np.float64) for name, one in weights.items()}
    x, places = w["token"][tokens], np.arange(len(tokens))

    def heads(h: Array, name: str) -> Array:
        return (h @ w[name]).reshape(len(tokens), -1, config["head_dim"]).transpose(1, 0, 2)

    for i in range(config["layers"]):
        h = _norm(x, w[f"{i}.norm1"])
        k, v = turned(heads(h, f"{i}.k"), places), heads(h, f"{i}.v")
        k, v = (one.astype(np.float32).astype(stored).astype(np.float64) for one in (k, v))
        read = attention(turned(heads(h, f"{i}.q"), places), k, v, places <= places[:, None])
        x = x + read.transpose(1, 0, 2).reshape(len(tokens), -1) @ w[f"{i}.o"]
        h = _norm(x, w[f"{i}.norm2"]) @ w[f"{i}.up"]
        x = x + h / (1 + np.exp(-h)) @ w[f"{i}.down"]
    return np.asarray(_norm(x[-1], w["norm"]) @ w["head"])


def generated(
    config: Sizes, weights: Weights, prompt: Array, steps: int, stored: str = "float32"
) -> tuple[list[int], float]:
    """The tokens after a prompt, each computed from all before it, and the smallest lead of a chosen one over the next."""
    tokens, lead = [int(one) for one in prompt], math.inf
    for _ in range(steps):
        found = logits(config, weights, np.array(tokens), stored)
        second, best = np.sort(found)[-2:]
        lead = min(lead, float(best - second))
        tokens.append(int(found.argmax()))
    return tokens[len(prompt) :], lead


def clear_case(
    rng: np.random.Generator, lengths: list[int], steps: int, stored: str = "float32", **sizes: int
) -> tuple[Sizes, Weights, list[Array], Array]:
    """A model, prompts of these lengths, and the tokens after them, drawn until no choice is close."""
    margin = MARGIN * (1 if stored == "float32" else 5)
    while True:
        config, weights = random_model(rng, **sizes)
        prompts = [rng.integers(config["vocabulary"], size=length) for length in lengths]
        found = [generated(config, weights, prompt, steps, stored) for prompt in prompts]
        if all(lead > margin for _, lead in found):
            return config, weights, prompts, np.array([tokens for tokens, _ in found], np.int64)


def padded(prompts: list[Array], rng: np.random.Generator, side: str) -> tuple[Array, Array]:
    """Tokens (B, T) and the mask of real ones; padding is noise, at this side."""
    width = max(map(len, prompts))
    tokens, mask = rng.integers(7, size=(len(prompts), width)), np.zeros((len(prompts), width), bool)
    for row, prompt in enumerate(prompts):
        here = slice(0, len(prompt)) if side == "right" else slice(width - len(prompt), width)
        tokens[row, here], mask[row, here] = prompt, True
    return tokens, mask
