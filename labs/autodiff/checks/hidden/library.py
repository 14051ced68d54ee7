"""Task 7: losses and weights by the course library: an engine, operations and an Adam that the lab shares nothing with."""

from __future__ import annotations

from typing import Any

import model
import numpy as np

from mlsys_core import autodiff as engine


def oracle(weights: model.Weights, batches: list[list[np.ndarray]], lr: float) -> tuple[list[float], model.Weights]:
    """The loss of each batch before its step, and the weights after the last."""
    leaves = {name: engine.Tensor(value.copy(), requires_grad=True) for name, value in weights.items()}
    adam, losses = engine.optim.Adam(leaves.values(), lr=lr), []
    for tokens, targets in batches:
        loss = _loss(leaves, tokens, targets)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    return losses, {name: leaf.data for name, leaf in leaves.items()}


def _loss(weights: dict[str, Any], tokens: np.ndarray, targets: np.ndarray) -> Any:
    x = engine.embedding(weights["token"], tokens) + weights["position"][: tokens.shape[1]]
    for i in range(2):
        h = engine.rms_norm(x, weights[f"{i}.norm1"], 1e-6)
        q, k, v = (_heads(h @ weights[f"{i}.{name}"]) for name in ("query", "key", "value"))
        read = engine.attention(q, k, v, causal=True).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + read @ weights[f"{i}.out"]
        h = engine.rms_norm(x, weights[f"{i}.norm2"], 1e-6)
        x = x + engine.gelu(h @ weights[f"{i}.up"]) @ weights[f"{i}.down"]
    logits = engine.rms_norm(x, weights["norm"], 1e-6) @ weights["head"]
    return engine.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def _heads(x: Any) -> Any:
    return x.reshape(*x.shape[:2], model.HEADS, -1).transpose(0, 2, 1, 3)
