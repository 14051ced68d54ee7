"""The small language model of the course's library in numpy: losses of what the student's code made of its weights.

The judge needs no torch for it. The forward pass is held against the library's own in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from mlsys_core.workloads import text

Array = np.ndarray
Weights = Mapping[str, Array]
HEADS, KV_HEADS, LAYERS, EPS, BASE = 8, 4, 6, 1e-5, 10_000.0
# inputs that several matrices share, by block
SHARED = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))


@cache
def weights() -> dict[str, Array]:
    """All weights by name, float32."""
    with np.load(Path(text.__file__).parent / "data" / "small_model.npz", allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


@cache
def _codes() -> tuple[Array, Array]:
    written = text.load()
    learned, unseen = text.split(text.Vocabulary.of(written).encode(written))
    return learned, unseen


def windows(rng: np.random.Generator, count: int, *, unseen: bool, length: int = 256) -> Array:
    """Windows (count, length + 1) of the text that the model learned from, or of the rest."""
    codes = _codes()[unseen]
    starts = rng.integers(len(codes) - length, size=count)
    return codes[starts[:, None] + np.arange(length + 1)]


def matrices(block: int) -> list[str]:
    """Names of a block's matrices."""
    return [name for name in weights() if name.startswith(f"blocks.{block}.") and name.endswith("proj.weight")]


def loss(found: Weights, tokens: Array) -> float:
    """Nats a letter over windows (B, T + 1)."""
    logits = forward(found, tokens[:, :-1])
    logits -= logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]
    return float((np.log(np.exp(logits).sum(-1)) - chosen).mean(dtype=np.float64))


def calibration(tokens: Array) -> dict[str, Array]:
    """The inputs (tokens, in) of every matrix of the blocks, by name."""
    seen: dict[str, Array] = {}
    forward(weights(), tokens[:, :-1], lambda name, x: seen.__setitem__(name, x.reshape(-1, x.shape[-1])))
    return seen


def forward(found: Weights, tokens: Array, watch: Callable[[str, Array], None] | None = None) -> Array:
    """Logits (B, T, letters) of tokens (B, T)."""
    x = found["embed.weight"][tokens]

    def project(name: str, inputs: Array) -> Array:
        if watch:
            watch(f"{name}.weight", inputs)
        return inputs @ found[f"{name}.weight"].T

    for block in range(LAYERS):
        at = f"blocks.{block}"
        n = _norm(x, found[f"{at}.attn_norm.weight"])
        q, k, v = (_heads(project(f"{at}.attn.{one}_proj", n)) for one in "qkv")
        x = x + project(f"{at}.attn.o_proj", _attention(_rope(q), _rope(k), v))
        n = _norm(x, found[f"{at}.ffn_norm.weight"])
        gate, up = (project(f"{at}.ffn.{one}_proj", n) for one in ("gate", "up"))
        x = x + project(f"{at}.ffn.down_proj", gate / (1 + np.exp(-gate)) * up)
    return np.asarray(_norm(x, found["norm.weight"]) @ found["head.weight"].T)


def _norm(x: Array, weight: Array) -> Array:
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(EPS)) * weight)


def _heads(x: Array) -> Array:
    size = weights()["embed.weight"].shape[1] // HEADS
    return x.reshape(*x.shape[:2], -1, size).swapaxes(1, 2)


def _rope(x: Array) -> Array:
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[-2])[:, None] * BASE ** (-np.arange(half) / half)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate((a * cos - b * sin, b * cos + a * sin), -1)


def _attention(q: Array, k: Array, v: Array) -> Array:
    k, v = (np.repeat(one, HEADS // KV_HEADS, 1) for one in (k, v))
    scores = q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))
    scores[..., np.triu(np.ones(scores.shape[-2:], bool), 1)] = -np.inf
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    out = scores / scores.sum(-1, keepdims=True) @ v
    return out.swapaxes(1, 2).reshape(*out.shape[:1], out.shape[2], -1)
