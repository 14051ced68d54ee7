"""Scaling laws: loss as a function of parameters and tokens, fitted to runs, and how to spend a budget of compute by it.

Idea      Loss falls as a power of the model's size and as a power of the data's, toward what no model can know. With that
          law fitted on small runs, the best split of a large budget between the two follows without running anything.
Equation  L(N, D) = E + A / N^α + B / D^β
          at C = 6 N D:  N* = G (C/6)^a,  D* = (C/6)^b / G,  G = (α A / (β B))^(1/(α+β)),  a = β/(α+β),  b = α/(α+β)
          fit: minimise Σ huber(log L̂ - log L) over log A, log B, log E, α, β, from many starts
Paper     J. Hoffmann et al., "Training compute-optimal large language models", NeurIPS 2022, section 3.3 (approach 3) and
          equations 3, 4 and 10; J. Kaplan et al., arXiv 2001.08361; T. Besiroglu et al., arXiv 2404.10102 (how wide the
          errors of such a fit are).
Cost      A start is some hundred evaluations on all runs: microseconds each for a few dozen runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScalingLaw:
    """L(N, D) = E + A / N^alpha + B / D^beta: loss in nats a token after training N parameters on D tokens."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, parameters: npt.ArrayLike, tokens: npt.ArrayLike) -> Numbers:
        """Loss for parameters and tokens, which may be arrays."""
        n, d = (np.asarray(x, dtype=np.float64) for x in (parameters, tokens))
        return np.asarray(self.E + self.A * n**-self.alpha + self.B * d**-self.beta)

    def optimum(self, flops: float) -> tuple[float, float]:
        """Parameters and tokens with the least loss of all with 6 N D = flops."""
        total = self.alpha + self.beta
        g = (self.alpha * self.A / (self.beta * self.B)) ** (1 / total)
        return g * (flops / 6) ** (self.beta / total), (flops / 6) ** (self.alpha / total) / g


# equation 10 of Hoffmann et al.
CHINCHILLA = ScalingLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


@dataclass(frozen=True)
class Run:
    """One training run: parameters that multiply something, tokens seen, and the loss it ended with."""

    parameters: float
    tokens: float
    loss: float


def huber(residual: Numbers, delta: float) -> tuple[Numbers, Numbers]:
    """½ r² up to delta and δ (|r| - ½ δ) beyond, so that outliers pull with a constant force; and its derivative."""
    size = np.abs(residual)
    value = np.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))
    return value, np.clip(residual, -delta, delta)


def objective(theta: Numbers, log_n: Numbers, log_d: Numbers, log_loss: Numbers, delta: float) -> tuple[float, Numbers]:
    """The sum of Huber losses at theta = (log A, log B, log E, α, β), and its gradient (5,)."""
    a, b, e, alpha, beta = theta
    terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
    predicted = np.logaddexp.reduce(terms, axis=0)
    value, slope = huber(predicted - log_loss, delta)
    # the share of each term in the predicted loss is its derivative in the logarithm
    share = slope * np.exp(terms - predicted)
    gradient = [share[0], share[1], share[2], -share[0] * log_n, -share[1] * log_d]
    return float(value.sum()), np.array([g.sum() for g in gradient])


def starts(log_loss: Numbers) -> Iterator[tuple[float, ...]]:
    """Where fits begin, as (log A, log B, log E, α, β) for sizes and amounts counted from their means: a grid.

    There the two terms and the constant are parts of the mean loss, so a grid of a few parts and exponents covers what
    takes thousands of starts in the paper's coordinates.
    """
    level = float(log_loss.mean())
    parts = (level - 2.5, level - 1.0)
    yield from product(parts, parts, (level - 1.5, level - 0.3), (0.2, 0.7), (0.2, 0.7))


def fit(runs: Iterable[Run], *, delta: float = 1e-3) -> ScalingLaw:
    """The law with the least sum of Huber losses (in log loss): L-BFGS a little way from all starts, then on from the best.

    Raises ValueError for fewer than five runs, or when all have one size or one number of tokens: five unknowns need five
    runs, and an exponent needs two sizes.
    """
    known = list(runs)
    table = np.log(np.array([[run.parameters, run.tokens, run.loss] for run in known], dtype=np.float64).reshape(-1, 3))
    sizes, amounts = (len(np.unique(table[:, column])) for column in (0, 1))
    if len(known) < 5 or min(sizes, amounts) < 2:
        raise ValueError(
            f"Five constants cannot be told from {len(known)} runs of {sizes} sizes and {amounts} amounts of tokens: "
            "give at least five runs that vary both."
        )
    log_n, log_d, log_loss = table.T
    # counted from the means, an exponent hardly moves its factor, and the search is short
    arguments = (log_n - log_n.mean(), log_d - log_d.mean(), log_loss, delta)
    tries = sorted((_improved(start, arguments, 100) for start in starts(log_loss)), key=_value)
    a, b, e, alpha, beta = min((_improved(tried.x, arguments, 2000) for tried in tries[:4]), key=_value).x
    factors = np.exp([e, a + alpha * log_n.mean(), b + beta * log_d.mean()]).tolist()
    return ScalingLaw(E=factors[0], A=factors[1], B=factors[2], alpha=float(alpha), beta=float(beta))


def _improved(start: Iterable[float], arguments: tuple[Numbers, Numbers, Numbers, float], iterations: int) -> Any:
    options = {"maxiter": iterations, "ftol": 1e-13, "gtol": 1e-9}
    return minimize(objective, list(start), arguments, method="L-BFGS-B", jac=True, options=options)


def _value(result: Any) -> float:
    return float(result.fun)


def spread(runs: Iterable[Run], *, resamples: int = 20, seed: int = 0, delta: float = 1e-3) -> list[ScalingLaw]:
    """Fits to runs drawn again with replacement (bootstrap): how far they differ is how little the runs say.

    Draws that leave too few different sizes to fit are drawn again.
    """
    known, rng = list(runs), np.random.default_rng(seed)
    laws: list[ScalingLaw] = []
    while len(laws) < resamples:
        drawn = [known[i] for i in rng.integers(len(known), size=len(known))]
        if min(len({run.parameters for run in drawn}), len({run.tokens for run in drawn})) > 1:
            laws.append(fit(drawn, delta=delta))
    return laws
