"""Task 7: the transformer in plain numpy, without any derivative; real or complex weights, so that a complex step gives its gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np

Weights = dict[str, np.ndarray]
TEXT = Path(__file__).resolve().parent / "shakespeare.txt"
HEADS = 2


def random_weights(rng: np.random.Generator, vocabulary: int, time: int, width: int) -> Weights:
    """Weights of two blocks; norms near 1."""
    shapes: dict[str, tuple[int, ...]] = {"token": (vocabulary, width), "position": (time, width), "norm": (width,)}
    for i in range(2):
        shapes |= {f"{i}.norm1": (width,), f"{i}.norm2": (width,)}
        shapes |= {f"{i}.{name}": (width, width) for name in ("query", "key", "value", "out")}
        shapes |= {f"{i}.up": (width, 4 * width), f"{i}.down": (4 * width, width)}
    shapes["head"] = (width, vocabulary)
    return {name: _weight(rng, name, shape) for name, shape in shapes.items()}


def _weight(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return np.asarray(rng.uniform(0.8, 1.2, size=shape))
    scale = 0.5 if name in {"token", "position"} else 1 / np.sqrt(shape[0])
    return np.asarray(rng.normal(size=shape) * scale)


def batches(rng: np.random.Generator, count: int, batch: int, time: int) -> tuple[list[list[np.ndarray]], int]:
    """`count` pairs of tokens and targets (batch, time) from random places of the text, and the number of its letters."""
    text = TEXT.read_text(encoding="ascii")
    letters = sorted(set(text))
    codes = np.array([letters.index(letter) for letter in text])
    starts = rng.integers(len(codes) - time, size=(count, batch, 1))
    windows = codes[starts + np.arange(time + 1)]
    return [[window[:, :-1].copy(), window[:, 1:].copy()] for window in windows], len(letters)


def loss(weights: Weights, tokens: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The mean loss, as the notebook defines it."""
    x = weights["token"][tokens] + weights["position"][: tokens.shape[1]]
    for i in range(2):
        h = _norm(x, weights[f"{i}.norm1"])
        read = _attention(*(h @ weights[f"{i}.{name}"] for name in ("query", "key", "value")))
        x = x + read @ weights[f"{i}.out"]
        h = _norm(x, weights[f"{i}.norm2"]) @ weights[f"{i}.up"]
        x = x + (0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))) @ weights[f"{i}.down"]
    logits = _norm(x, weights["norm"]) @ weights["head"]
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    return np.asarray((np.log(np.exp(shifted).sum(axis=-1)) - chosen).mean())


def _norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6) * weight)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    time, size = q.shape[1], q.shape[2] // HEADS
    parts = []
    for head in range(HEADS):
        mine = slice(head * size, (head + 1) * size)
        scores = np.einsum("btd,bsd->bts", q[..., mine], k[..., mine]) / np.sqrt(size)
        scores = np.where(np.tri(time, dtype=bool), scores, -1e30)
        shares = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        parts.append(shares / shares.sum(axis=-1, keepdims=True) @ v[..., mine])
    return np.concatenate(parts, axis=-1)


def adam(weights: Weights, gradients: list[Weights], lr: float) -> list[Weights]:
    """The weights after each step, from the sums that m and v are: Σ βᵗ⁻ⁱ (1 - β) gᵢ."""
    steps, current = [], weights
    for t in range(1, len(gradients) + 1):
        new = {}
        for name, weight in current.items():
            past = [one[name] for one in gradients[:t]]
            m = sum(0.9 ** (t - i) * 0.1 * g for i, g in enumerate(past, 1)) / (1 - 0.9**t)
            v = sum(0.999 ** (t - i) * 0.001 * g**2 for i, g in enumerate(past, 1)) / (1 - 0.999**t)
            new[name] = weight - lr * m / (np.sqrt(v) + 1e-8)
        steps.append(new)
        current = new
    return steps


def slope(weights: Weights, tokens: np.ndarray, targets: np.ndarray, direction: Weights) -> float:
    """The derivative of the loss along a direction, by a complex step."""
    moved = {name: value + 1e-40j * direction.get(name, 0.0) for name, value in weights.items()}
    return float(np.imag(loss(moved, tokens, targets)) / 1e-40)
