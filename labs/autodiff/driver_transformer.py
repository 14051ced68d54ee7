"""Task 7: the transformer's loss, gradients and training. A part of driver.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]
Answer = dict[str, Any]


def _leaves(program: ModuleType, weights: Weights) -> dict[str, Any]:
    return {name: program.Tensor(value.copy(), requires_grad=True) for name, value in weights.items()}


def transformer_loss(program: ModuleType, *, weights: Weights, tokens: Array, targets: Array, heads: int) -> Array:
    """The loss alone."""
    return np.array(program.transformer_loss(_leaves(program, weights), tokens, targets, heads).data)


def transformer_gradients(
    program: ModuleType, *, weights: Weights, tokens: Array, targets: Array, heads: int
) -> Weights:
    """The student's `gradients_of` the loss, for every weight and one that the loss does not depend on."""
    leaves = _leaves(program, weights)
    loss = program.transformer_loss(leaves, tokens, targets, heads)
    return _arrays(program.gradients_of(loss, leaves | {"unused": program.Tensor(np.ones(3), requires_grad=True)}))


def expression_gradients(program: ModuleType, *, x: Array, weight: Array) -> Weights:
    """`gradients_of` for a value that is used twice, on two paths of different length."""
    leaves = _leaves(program, {"x": x, "weight": weight})
    h = program.project(leaves["x"], leaves["weight"])
    value = program.gelu(h) + h
    return _arrays(program.gradients_of(program.cross_entropy(value, np.zeros(x.shape[:2], dtype=np.int64)), leaves))


def _arrays(values: Any) -> Weights:
    return {str(name): np.array(value) for name, value in dict(values).items()}


def adam_steps(program: ModuleType, *, weights: Weights, gradients: list[Weights], lr: float) -> Answer:
    """The weights after each step, and whether those given are as they were."""
    adam, current = program.Adam(lr), {name: value.copy() for name, value in weights.items()}
    first, steps = current, []
    for one in gradients:
        current = adam.step(current, {name: value.copy() for name, value in one.items()})
        steps.append(_arrays(current))
    kept = all(first[name].tobytes() == value.tobytes() for name, value in weights.items())
    return {"weights": steps, "kept": kept}


def trained(program: ModuleType, *, weights: Weights, batches: list[list[Array]], heads: int, lr: float) -> Answer:
    """`train`: its losses, its weights, and whether those given are as they were."""
    given = {name: value.copy() for name, value in weights.items()}
    losses, after = program.train(given, [(tokens, targets) for tokens, targets in batches], heads, lr)
    kept = all(given[name].tobytes() == value.tobytes() for name, value in weights.items())
    return {"losses": [float(loss) for loss in losses], "weights": _arrays(after), "kept": kept}


_prepared: dict[str, Any] = {}


def prepare_training(program: ModuleType, *, weights: Weights, batches: list[list[list[Array]]], heads: int) -> None:  # noqa: ARG001 - as every function here
    """Keep weights and batches for `timed_training`, so that a timed call carries no arrays."""
    _prepared.update(weights=weights, heads=heads)
    _prepared["batches"] = [[(tokens, targets) for tokens, targets in one] for one in batches]


def timed_training(program: ModuleType, *, batch: int) -> list[float]:
    """Train on prepared batches from the prepared weights; returns the losses."""
    weights = {name: value.copy() for name, value in _prepared["weights"].items()}
    losses, _ = program.train(weights, _prepared["batches"][batch], _prepared["heads"], 1e-3)
    return [float(loss) for loss in losses]


def counted_step(program: ModuleType, *, weights: Weights, tokens: Array, targets: Array, heads: int) -> int:
    """Operations of the matrix products of one training step, counted in the given operations and their rules."""
    count: Counter[str] = Counter()
    for name, products in (("project", (1, 2)), ("causal_attention", (2, 5))):
        _count(program.OPS[name], _cost(name), products, count)
    program.train({name: value.copy() for name, value in weights.items()}, [(tokens, targets)], heads, 1e-3)
    return count["operations"]


def _cost(name: str) -> Callable[..., int]:
    """Operations of one product of this operation: 2 · rows · m · n, or 2 · B · T² · d."""
    if name == "project":
        return lambda x, weight: 2 * (x.size // x.shape[-1]) * int(weight.size)
    return lambda q, *_: 2 * int(q.size) * int(q.shape[1])


def _count(operation: Any, cost: Callable[..., int], products: tuple[int, int], count: Counter[str]) -> None:
    forward, vjp = operation.forward, operation.vjp

    def counted_forward(*arrays: Array, **parameters: Any) -> Any:
        count["operations"] += products[0] * cost(*arrays)
        return forward(*arrays, **parameters)

    def counted_vjp(cotangent: Any, output: Any, *inputs: Any, **parameters: Any) -> Any:
        count["operations"] += products[1] * cost(*(x.data for x in inputs))
        return vjp(cotangent, output, *inputs, **parameters)

    operation.forward, operation.vjp = counted_forward, counted_vjp
