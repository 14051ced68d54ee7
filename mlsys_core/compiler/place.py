"""Where a lowering has got to: the values of the loops around, and the buffers that stand for tensors there.

Idea      The same definition is lowered at many places of a nest: once for each range that its loops are cut into, and again wherever it is
          computed for a consumer. All that differs is what is known there.
Equation  load of X at e  →  buffer at the loops that index it, or at the dimensions of e that it kept
Paper     T. Chen et al., "TVM", OSDI 2018.
Cost      None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mlsys_core.compiler.expressions import Const, Expr
from mlsys_core.compiler.ir import REDUCTIONS, Compute, Tensor
from mlsys_core.compiler.loops import Env
from mlsys_core.compiler.stage import Stage


@dataclass(frozen=True)
class Place:
    """Where the nest of a stage has got to: the loops' values, and the buffers that stand for tensors there.

    caches   tensor -> its buffer and the loops that index it (packed, or held)
    locals   tensor -> its buffer and the dimensions that it has; the others have one value there
    """

    env: Env = field(default_factory=Env)
    caches: Mapping[str, tuple[Tensor, tuple[str, ...]]] = field(default_factory=dict)
    locals: Mapping[str, tuple[Tensor, tuple[int, ...]]] = field(default_factory=dict)

    def with_cache(self, name: str, tensor: Tensor, loops: list[str]) -> Place:
        """The place inside a buffer."""
        return replace(self, caches={**self.caches, name: (tensor, tuple(loops))})


def identity(op: str, dtype: str) -> Expr:
    """What a reduction starts from."""
    value = REDUCTIONS[op]
    if dtype.startswith("int"):
        limits = np.iinfo(dtype)
        return Const(
            {float("-inf"): int(limits.min), float("inf"): int(limits.max)}.get(
                value, int(value if math.isfinite(value) else 0)
            )
        )
    return Const(float(value))


def definition(stage: Stage) -> Compute:
    """How a stage's elements are defined."""
    assert stage.tensor.compute is not None
    return stage.tensor.compute
