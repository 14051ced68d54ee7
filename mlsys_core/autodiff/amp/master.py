"""float32 master weights behind sixteen-bit working copies.

Idea      An update that is smaller than half a step of the working type is lost when it is added there. It is added to a
          float32 master instead, and the working copy is the master rounded.
Equation  w = r(θ);   θ ← θ - η ∇L(w)
Paper     P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.1; S. Rajbhandari et al., "ZeRO", SC 2020,
          section 3.1 (what it costs).
Cost      With Adam 16 bytes a parameter: 2 for the copy, 2 for its gradient, 12 for the master and two moments.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mlsys_core.autodiff.amp.precision import Precision
from mlsys_core.autodiff.tensor import Tensor


class MasterWeights:
    """`masters` are float32 leaves for an optimizer, one for each parameter of a model that works in `precision`.

    A step: backward, `collect()`, the optimizer over `masters`, `publish()`.
    """

    def __init__(self, parameters: Iterable[Tensor], precision: Precision) -> None:
        """Copies the parameters to masters and rounds them in place of what they were: their type may change."""
        self.working = list(parameters)
        self.precision = precision
        self.masters = [Tensor(p.data.astype(np.float32), requires_grad=True) for p in self.working]
        self.publish()

    def collect(self) -> None:
        """Moves the gradients of the working copies to the masters, as float32."""
        for master, copy in zip(self.masters, self.working, strict=True):
            master.grad = None if copy.grad is None else Tensor(copy.grad.data.astype(np.float32))
            copy.grad = None

    def publish(self) -> None:
        """Rounds the masters into the working copies."""
        for master, copy in zip(self.masters, self.working, strict=True):
            copy.data = self.precision.round(master.data)


def training_bytes(parameters: int, precision: Precision, moments: int = 2) -> int:
    """Bytes of weights, gradients, masters and moments: (2 + 2 + 4 + 4 · moments) a parameter for sixteen bits."""
    return parameters * (2 * precision.bits // 8 + 4 + 4 * moments)
