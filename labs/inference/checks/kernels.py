"""What the checks of kernels share: inputs, comparisons under the meter, and traffic by the height of a tile."""

from __future__ import annotations

from typing import Any

import dense
import numpy as np
from answers import field, number

try:
    from grader.checks import charts
except ImportError:  # on a student's own machine there is no page to draw on
    charts = None

HEIGHTS = (16, 32, 64, 128)

Array = np.ndarray
Arrays = tuple[Array, Array, Array]


def drawn(rng: np.random.Generator, shape: tuple[int, int, int, int, int], d: int, dtype: str = "float32") -> Arrays:
    """q (B, H, N, D), k and v (B, H_kv, M, D) for a shape (B, H, H_kv, N, M)."""
    batch, heads, kv_heads, n, m = shape
    sizes = ((batch, heads, n, d), (batch, kv_heads, m, d), (batch, kv_heads, m, d))
    q, k, v = (rng.normal(size=size).astype(dtype) for size in sizes)
    return q, k, v


def compared(student: Any, expect: Any, inputs: Arrays, *, what: str = "", **settings: Any) -> dict[str, Any]:
    """Runs `flash_attention` under the meter; its result must be the definition's, with nothing found on the way."""
    q, k, v = inputs
    got = student.call("flash", q=q, k=k, v=v, **settings)
    for sentence in field(expect, got, "found"):
        expect.that(False, f"The meter found a fault. {sentence}")
    visible = dense.visible_pairs(q.shape[2], k.shape[2], causal=settings.get("causal", False))
    want = [dense.attention(*one, visible, settings.get("scale")) for one in zip(q, k, v, strict=True)]
    dtype, place = str(q.dtype), f", {what}" if what else ""
    out, lse = (np.stack([pair[at] for pair in want]) for at in (0, 1))
    expect.near(
        field(expect, got, "out"), out, dtype, what=f"output{place}", roundings=1.1 if dtype == "float16" else 32
    )
    expect.near(
        field(expect, got, "lse"),
        lse,
        "float32",
        what=f"log denominator{place}",
        roundings=2048 if dtype == "float16" else 32,
    )
    expect.that(field(expect, got, "kept") is True, "an input changed")
    return dict(got)


def counted(expect: Any, got: dict[str, Any], name: str) -> float:
    """One of the meter's counts."""
    return number(expect, field(expect, got, name), f"the count {name}")


def formula(n: int, d: int, heads: int, block_m: int) -> float:
    """Bytes of float32 that n queries a head load in tiles of this height: each query once, keys and values once a tile."""
    return float(4 * heads * n * d * (1 + 2 * -(-n // block_m)))


def told_traffic(measure: Any, *, n: int, d: int, heads: int, block_m: int, loaded: float) -> str:
    """How often keys and values were read and what another tile would do, in a sentence and in a chart beside the measurement."""
    once = 4 * heads * n * d
    often, best = (loaded / once - 1) / 2, (formula(n, d, heads, HEIGHTS[-1]) / once - 1) / 2
    says = f"At BLOCK_M {block_m} you read K and V {_times(often)}; BLOCK_M {HEIGHTS[-1]} reads them {_times(best)}"
    if charts is not None:
        chart = charts.traffic(
            lambda one: formula(n, d, heads, one),
            blocks=HEIGHTS,
            block=block_m,
            moved=loaded,
            floor=3.0 * once,
            name="BLOCK_M",
            says=f"{says}.",
        )
        measure.chart(chart)
    return says


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:.3g} times"
