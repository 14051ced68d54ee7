"""How long a schedule will take: an analytic estimate, corrected by a regression on what was measured.

Idea      An estimate from counts ranks schedules before anything has run. Each measurement then tells how the machine differs from the
          estimate, and a ridge regression on the logarithms of the same counts learns that difference. With no data it is the estimate.
Equation  log t = log prior + w·(x - mean) / deviation + b,   w = (XᵀX + λI)⁻¹ Xᵀ y,   y = log measured - log prior
Paper     A. Hoerl, R. Kennard, "Ridge regression", Technometrics 12(1), 1970; T. Chen et al., "Learning to optimize tensor programs",
          NeurIPS 2018; C. Spearman, "The proof and measurement of association between two things", Am. J. Psychology 15, 1904.
Cost      One small linear system a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mlsys_core.compiler.features import Features, Machine, features, prior_cycles
from mlsys_core.compiler.interpreter import Array
from mlsys_core.compiler.ir import Program

CYCLES_A_SECOND = 3e9  # of the estimate alone; a fit corrects it with everything else


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """The rank correlation of two sequences, from -1 to 1; equal values share their mean rank."""
    x, y = _ranks(np.asarray(a)), _ranks(np.asarray(b))
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale else 0.0


def _ranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


@dataclass
class CostModel:
    """Predicts seconds. `fit` may be called again and again with all that was measured; `strength` is λ."""

    machine: Machine = field(default_factory=Machine)
    strength: float = 10.0
    weights: Array | None = None
    mean: Array = field(default_factory=lambda: np.zeros(0))
    deviation: Array = field(default_factory=lambda: np.zeros(0))
    offset: float = 0.0

    def look(self, program: Program) -> Features:
        """The counts of a program on this machine."""
        return features(program, self.machine)

    def prior(self, found: Features) -> float:
        """The analytic estimate in seconds."""
        return prior_cycles(found, self.machine) / CYCLES_A_SECOND

    def fit(self, found: Sequence[Features], seconds: Sequence[float]) -> None:
        """Learns from measurements, two at least."""
        x = np.array([f.vector() for f in found])
        y = np.log(np.asarray(seconds)) - np.log([self.prior(f) for f in found])
        self.mean, self.deviation, self.offset = x.mean(0), x.std(0) + 1e-9, float(y.mean())
        x = np.where(x.std(0) > 1e-9, (x - self.mean) / self.deviation, 0.0)  # a count that never varied says nothing
        self.deviation = np.where(np.array([f.vector() for f in found]).std(0) > 1e-9, self.deviation, np.inf)
        square = x.T @ x + self.strength * np.eye(x.shape[1])
        self.weights = np.linalg.solve(square, x.T @ (y - self.offset))

    def predict(self, found: Features) -> float:
        """Seconds."""
        if self.weights is None:
            return self.prior(found)
        away = (found.vector() - self.mean) / self.deviation
        return float(self.prior(found) * np.exp(self.offset + away @ self.weights))
