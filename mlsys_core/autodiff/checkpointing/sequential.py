"""Chains of layers with checkpoints: √n segments, or the plan that fits a budget.

Idea      A chain of n layers cut into √n segments keeps √n outputs, and while one segment is done again, its √n layers.
          Where layers differ in size and cost, and the budget is known, `budget.optimal` knows better.
Equation  n equal layers that keep w bytes, outputs of a bytes: peak = √n a + √n w instead of n w, for one more forward run
Paper     T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174, 2016,
          section 4; O. Beaumont et al., arXiv:1911.13214, 2019.
Cost      At most one more forward run for √n segments; for a plan `budget.cost`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, sqrt
from typing import TypeAlias

from mlsys_core.autodiff.checkpointing.budget import Plan, Recorded, Stage
from mlsys_core.autodiff.checkpointing.checkpoint import checkpoint, undisturbed
from mlsys_core.autodiff.checkpointing.meter import kept_bytes, owner
from mlsys_core.autodiff.tape import recording
from mlsys_core.autodiff.tensor import Tensor

Layer: TypeAlias = Callable[[Tensor], Tensor]


def _chain(layers: Sequence[Layer]) -> Layer:
    def run(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return run


def checkpoint_sequential(layers: Sequence[Layer], segments: int | None, x: Tensor) -> Tensor:
    """The layers one after the other, cut into segments that are done again backward; ⌈√n⌉ segments for None.

    The last segment is recorded, for it would be done again at once. Segments differ by one layer at most.
    """
    count = ceil(sqrt(len(layers))) if segments is None else segments
    if not 1 <= count <= max(1, len(layers)):
        raise ValueError(f"{len(layers)} layers cannot be cut into {count} segments: give 1 to {len(layers)}.")
    bounds = [i * len(layers) // count for i in range(count + 1)]
    for start, stop in pairwise(bounds[:-1]):
        x = checkpoint(_chain(layers[start:stop]), x)
    return _chain(layers[bounds[-2] :])(x)


def run_plan(layers: Sequence[Layer], plan: Plan, x: Tensor) -> Tensor:
    """The layers one after the other as the plan says; sweep with retain_graph=False to stay within its peak."""
    rest: Plan | None = plan
    while rest is not None:
        x = layers[rest.layer](x) if isinstance(rest, Recorded) else checkpoint(_by_plan(layers, rest.inside), x)
        rest = rest.rest
    return x


def _by_plan(layers: Sequence[Layer], plan: Plan) -> Layer:
    return lambda x: run_plan(layers, plan, x)


def measured(layers: Sequence[Layer], x: Tensor, costs: Sequence[float] | None = None) -> list[Stage]:
    """The stages of a chain: bytes as the tape keeps them for x, costs as given or 1 each."""
    stages = []
    data = x.data
    for layer, price in zip(layers, costs or [1.0] * len(layers), strict=True):
        with recording(on=True), undisturbed():
            out = layer(Tensor(data, requires_grad=True))
        output = min(out.data.nbytes, owner(out.data).nbytes)
        stages.append(Stage(price, output, kept_bytes(out)))
        data = out.data
    return stages
