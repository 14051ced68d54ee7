"""Charts that a check of a kernel puts beside what it measured: bytes against the theory, and where the run lies under the roof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2

from ..contract import Chart, ChartLine


def traffic(
    formula: Callable[[int], float],
    *,
    blocks: Sequence[int],
    block: int,
    moved: float,
    floor: float,
    name: str,
    says: str,
) -> Chart:
    """Bytes by the size of a block: what the formula gives, the floor that no block goes below, and what this run moved.

    `name` is the block's own (`BLOCK_M`); `says` is the counterfactual: what another block would have moved.
    """
    sizes = sorted({*blocks, block})
    curve = ChartLine("by the formula", tuple((float(size), float(formula(size))) for size in sizes))
    least = ChartLine("each input once", tuple((float(size), float(floor)) for size in sizes))
    return Chart(
        f"Bytes by {name}", name, "bytes", (curve, least), (float(block), float(moved)), says, log_x=True, log_y=True
    )


def roofline(
    *, device: str, peak: float, bandwidth: float, intensity: float, rate: float | None = None, unit: str = "FLOP/s"
) -> Chart:
    """The roof of a device with `peak` FLOP/s and `bandwidth` bytes/s, and a run of `intensity` FLOPs a byte under it.

    Without a measured `rate` in FLOP/s the run stands on the roof: the most that its intensity allows.
    """
    ridge, attainable = peak / bandwidth, min(peak, intensity * bandwidth)
    low, high = min(ridge, intensity) / 8, max(ridge, intensity) * 8
    steps = max(2, round(2 * log2(high / low)) + 1)
    xs = sorted({low * (high / low) ** (i / (steps - 1)) for i in range(steps)} | {ridge})
    roof = ChartLine(f"the roof of one {device}", tuple((x, min(peak, x * bandwidth)) for x in xs))
    bound = "memory" if intensity < ridge else "arithmetic"
    says = f"At {intensity:.3g} FLOPs a byte, {bound} is the limit on one {device}: at most {attainable / 1e12:,.4g} TFLOP/s"
    says += f" of {peak / 1e12:,.4g}" + (
        f"; this run reached {rate / 1e12:.3g}, {rate / attainable:.0%} of it." if rate else "."
    )
    you = (intensity, attainable if rate is None else rate)
    return Chart("Under the roof", "FLOPs a byte", unit, (roof,), you, says, log_x=True, log_y=True)
