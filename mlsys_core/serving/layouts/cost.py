"""Which layout of a feed-forward layer moves least, and from how many tokens on.

Idea      What a layout sends is a line over the number of tokens: layouts that move activations begin at nothing and rise steeply,
          those that move weights begin high and rise slowly. The best one changes where lines cross, always toward more weights.
Equation  c(T) = a + b T;   a and b by `weight_stationary_cost` and `weight_gathered_cost`
Paper     R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023, section 3.2.4 and figure 3.
Cost      None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from mlsys_core.serving.layouts.feed_forward import (
    AXES,
    Axes,
    Shape,
    weight_gathered_cost,
    weight_stationary_cost,
)
from mlsys_core.workloads.devices import SIZES, Device
from mlsys_core.workloads.operations import Work
from mlsys_core.workloads.roofline import Floor, floor


@dataclass(frozen=True)
class Layout:
    """A way to cut the layer.

    cost   (T, E, F, (X, Y, Z)) -> elements that a chip sends
    over   axes over which weights are gathered, so that a chip reads more of them than it keeps
    """

    cost: Callable[[int, int, int, Shape], int]
    over: Axes = ()


def _one_axis(tokens: int, embed: int, feed_forward: int, shape: Shape) -> int:
    return weight_stationary_cost(tokens, embed, feed_forward, (1, 1, prod(shape)))


def _gathered(axes: Axes) -> Layout:
    return Layout(lambda tokens, embed, wide, shape: weight_gathered_cost(tokens, embed, wide, shape, axes), axes)


LAYOUTS = {
    "1D weight-stationary": Layout(_one_axis),
    "2D weight-stationary": Layout(weight_stationary_cost),
    "X weight-gathered": _gathered(AXES[:1]),
    "XY weight-gathered": _gathered(AXES[:2]),
    "XYZ weight-gathered": _gathered(AXES),
}


def best_layout(tokens: int, embed: int, feed_forward: int, shape: Shape) -> str:
    """The layout in which a chip sends least: a name of LAYOUTS."""
    return min(LAYOUTS, key=lambda name: LAYOUTS[name].cost(tokens, embed, feed_forward, shape))


def crossovers(embed: int, feed_forward: int, shape: Shape, most: int = 1 << 22) -> list[tuple[int, str]]:
    """From how many tokens on, up to `most`, which layout sends least: [(1, …), (tokens, …), …]."""
    found = [(1, best_layout(1, embed, feed_forward, shape))]
    last = best_layout(most, embed, feed_forward, shape)
    while found[-1][1] != last:
        low, high = found[-1][0], most
        while high - low > 1:
            middle = (low + high) // 2
            # lines cross once: who is overtaken never leads again
            if best_layout(middle, embed, feed_forward, shape) == found[-1][1]:
                low = middle
            else:
                high = middle
        found.append((high, best_layout(high, embed, feed_forward, shape)))
    return found


def feed_forward_floor(
    name: str, tokens: int, embed: int, feed_forward: int, shape: Shape, *, device: Device, dtype: str = "bfloat16"
) -> Floor:
    """Least seconds of the layer on such chips: each reads its weights, or those that it gathered, and computes an n-th."""
    chips, size = prod(shape), SIZES[dtype]
    over = prod(shape[AXES.index(axis)] for axis in LAYOUTS[name].over)
    sent = LAYOUTS[name].cost(tokens, embed, feed_forward, shape) * size
    read = 2 * embed * feed_forward * over * size // chips
    return floor(Work(4 * tokens * embed * feed_forward // chips, read, sent), device, dtype)
