"""Task 6: the scale's state machine and a mixed-precision step, as tables of what must come out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

LARGEST = 65504.0
Settings = dict[str, Any]
Steps = tuple[list[list[np.ndarray]], list[list[float]]]


def scales(settings: Settings, overflows: Iterable[bool]) -> list[list[float]]:
    """[scale, good steps] after each update: products rounded to float32, and no growth to infinity."""
    scale, good, trace = np.float32(settings["init_scale"]), 0, []
    for overflow in overflows:
        good = 0 if overflow else good + 1
        if overflow:
            scale = np.float32(float(scale) * settings["backoff_factor"])
        elif good == settings["growth_interval"]:
            good = 0
            with np.errstate(over="ignore"):
                grown = np.float32(float(scale) * settings["growth_factor"])
            scale = grown if np.isfinite(grown) else scale
        trace.append([float(scale), float(good)])
    return trace


def check_trace(expect: Any, got: Any, want: list[list[float]], what: str) -> None:
    """Scales to a few roundings of float32, and the counts of good steps."""
    formed = (
        isinstance(got, list) and len(got) == len(want) and all(isinstance(one, list) and len(one) == 2 for one in got)
    )
    expect.that(formed, f"the scaler gave no scale and no count for each of {len(want)} steps")
    for step, (one, other) in enumerate(zip(got, want, strict=True), 1):
        expect.close(one[0], other[0], what=f"scale after {step} {what}", rtol=1e-5, atol=0.0)
        expect.equal(one[1], other[1], what=f"good steps after {step} {what}")


def random_settings(rng: np.random.Generator) -> Settings:
    """Factors that are powers of two or not, and a short interval."""
    return {
        "init_scale": float(2.0 ** rng.integers(-4, 20)),
        "growth_factor": float(rng.choice([2.0, 1.5, 4.0])),
        "backoff_factor": float(rng.choice([0.5, 0.25, 0.7])),
        "growth_interval": int(rng.integers(1, 6)),
    }


def steps(
    weights: Sequence[np.ndarray],
    slopes: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    settings: Settings,
    *,
    lr: float,
    count: int,
) -> Steps:
    """Weights and states after each step of w ← w - lr · slope · (w₁₆ - target), whose gradient is rounded to float16 while scaled."""
    master, history, states = [np.array(w) for w in weights], [], []
    flags: list[bool] = []
    for _ in range(count):
        scale = scales(settings, flags)[-1][0] if flags else float(np.float32(settings["init_scale"]))
        with np.errstate(over="ignore", under="ignore"):
            wide = [w.astype(np.float16).astype(np.float32) - t for w, t in zip(master, targets, strict=True)]
            half = [(np.float32(scale) * s * d).astype(np.float16) for s, d in zip(slopes, wide, strict=True)]
        flags.append(bool(any((~np.isfinite(g)).any() for g in half)))
        if not flags[-1]:
            moved = (np.float32(lr) * (g.astype(np.float32) / np.float32(scale)) for g in half)
            master = [w - move for w, move in zip(master, moved, strict=True)]
        history.append([np.array(w) for w in master])
        states.append(scales(settings, flags)[-1])
    return history, states
