"""Tasks 5 and 6: runs chains of layers while what they save is counted, and steps in mixed precision. A part of driver.py."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray
Answer = dict[str, Any]


def buffers(program: ModuleType, *, sizes: list[int], reads: list[list[int]], outputs: list[int]) -> list[int]:
    """The student's plan: a buffer for each value."""
    return [int(one) for one in program.plan_buffers(list(sizes), [tuple(one) for one in reads], list(outputs))]


def checkpoint_plan(
    program: ModuleType, *, saved: list[int], inputs: list[int], flops: list[int], budget: int
) -> list[list[int]]:
    """The student's segments."""
    segments = program.plan_checkpoints(list(saved), list(inputs), list(flops), budget)
    return [[int(start), int(stop)] for start, stop in segments]


class _Meter:
    """Bytes of what is alive of what layers made, the most that were alive when a layer was swept, and how often each ran."""

    def __init__(self, layers: int) -> None:
        self.living = self.peak = 0
        self.forwards, self.backwards = [0] * layers, [0] * layers

    def watch(self, thing: Any, size: int) -> None:
        """Count `size` bytes for as long as `thing` lives."""
        self.living += size
        weakref.finalize(thing, self._gone, size).atexit = False

    def _gone(self, size: int) -> None:
        self.living -= size


class _Saved:
    """What one run of a layer saved: its input, the arrays before the sines, and the mask."""

    __slots__ = ("__weakref__", "inner", "mask", "x")

    def __init__(self, x: Array, inner: list[Array], mask: Array | None) -> None:
        self.x, self.inner, self.mask = x, inner, mask

    def __reduce__(self) -> Any:
        raise TypeError("what a layer saved cannot be copied: hold it, or run the layer again")


class _Layer:
    """The notebook's ChainLayer, with what it makes counted."""

    def __init__(self, number: int, weights: Array, dropout: float, meter: _Meter) -> None:
        self._number, self._weights, self._dropout, self._meter = number, weights, dropout, meter

    def forward(self, x: Array, rng: np.random.Generator) -> tuple[Array, _Saved]:
        self._meter.forwards[self._number] += 1
        h, inner = x, []
        for w in self._weights:
            inner.append(h * w)
            h = np.sin(inner[-1])
        mask = (rng.random(x.shape) >= self._dropout) / (1.0 - self._dropout) if self._dropout else None
        y, saved = x + (h if mask is None else h * mask), _Saved(x, inner, mask)
        self._meter.watch(y, y.nbytes)
        self._meter.watch(saved, sum(array.nbytes for array in inner) + (0 if mask is None else mask.nbytes))
        return y, saved

    def backward(self, saved: _Saved, cotangent: Array) -> tuple[Array, Array]:
        self._meter.backwards[self._number] += 1
        self._meter.peak = max(self._meter.peak, self._meter.living)
        gradient = np.zeros_like(self._weights)
        g = cotangent if saved.mask is None else cotangent * saved.mask
        for j in reversed(range(len(saved.inner))):
            g = g * np.cos(saved.inner[j])
            gradient[j] = (g * (np.sin(saved.inner[j - 1]) if j else saved.x)).sum(axis=0)
            g = g * self._weights[j]
        return cotangent + g, gradient


def chain_gradient(
    program: ModuleType,
    *,
    weights: list[Array],
    dropout: list[float],
    x: Array,
    cotangent: Array,
    segments: list[list[int]],
    seed: int,
) -> Answer:
    """`checkpointed_gradient` of a chain whose layers count what is saved, and the generator's next number after it."""
    meter, rng = _Meter(len(weights)), np.random.default_rng(seed)
    layers = [_Layer(i, w, p, meter) for i, (w, p) in enumerate(zip(weights, dropout, strict=True))]
    first = x.copy()
    meter.watch(first, first.nbytes)
    output, pulled, gradients = program.checkpointed_gradient(
        layers, first, cotangent.copy(), [(start, stop) for start, stop in segments], rng
    )
    return {
        "output": np.array(output),
        "cotangent": np.array(pulled),
        "gradients": [np.array(one) for one in gradients],
        "peak": meter.peak,
        "forwards": meter.forwards,
        "backwards": meter.backwards,
        "next": float(rng.random()),
    }


def _scaler(program: ModuleType, settings: dict[str, Any]) -> Any:
    return program.LossScaler(**settings)


def scaler_trace(program: ModuleType, *, settings: dict[str, Any], overflows: list[bool]) -> list[list[float]]:
    """Scale and count of good steps after each update."""
    scaler, trace = _scaler(program, settings), []
    for overflow in overflows:
        scaler.update(overflow)
        trace.append([float(scaler.scale), float(scaler.growth_tracker)])
    return trace


def unscaled(program: ModuleType, *, scale: float, gradients: list[Array]) -> Answer:
    """`unscale`, what it left of the gradients that it was given, and of the state."""
    scaler, given = _scaler(program, {"init_scale": scale}), [one.copy() for one in gradients]
    found, overflow = scaler.unscale(given)
    kept = all(a.tobytes() == b.tobytes() for a, b in zip(given, gradients, strict=True))
    same = float(scaler.scale) == scale and scaler.growth_tracker == 0
    return {"gradients": [np.array(one) for one in found], "overflow": overflow, "kept": kept and same}


def _pull(slopes: list[Array], targets: list[Array]) -> Callable[..., list[Array]]:
    """Float16 gradients of scale · Σ slope · (w - target)² / 2, rounded once."""

    def gradient(half: Sequence[Array], scale: float) -> list[Array]:
        if any(getattr(one, "dtype", None) != np.float16 for one in half):
            raise TypeError("the gradient should be taken at float16 weights")
        wide = (w.astype(np.float32) - t for w, t in zip(half, targets, strict=True))
        with np.errstate(over="ignore", under="ignore"):
            return [(np.float32(scale) * s * d).astype(np.float16) for s, d in zip(slopes, wide, strict=True)]

    return gradient


def mixed_steps(
    program: ModuleType,
    *,
    weights: list[Array],
    slopes: list[Array],
    targets: list[Array],
    settings: dict[str, Any],
    lr: float,
    steps: int,
) -> Answer:
    """Weights, scale and count of good steps after each of `steps` steps, and whether the first weights are as they were."""
    scaler, gradient = _scaler(program, settings), _pull(slopes, targets)
    master = first = [one.copy() for one in weights]
    trace, states = [], []
    for _ in range(steps):
        master = list(program.mixed_precision_step(master, gradient, scaler, lr))
        trace.append([np.array(one) for one in master])
        states.append([float(scaler.scale), float(scaler.growth_tracker)])
    kept = all(a.tobytes() == b.tobytes() for a, b in zip(first, weights, strict=True))
    return {"weights": trace, "states": states, "kept": kept}
