"""Does a sampler have the distribution that it should have? A test, and the smallest fault that the test would find.

Idea      Counts of n draws scatter about n p, and χ² says how much more they do than chance allows. A test that passes shows little by
          itself: what it shows is that no fault as large as it can find was there, so that size belongs beside it.
Equation  χ² = Σ (count - n p)² / (n p), k - 1 degrees of freedom;   with a bias w = √(Σ (p' - p)² / p) its noncentrality is n w²
Paper     K. Pearson, Philosophical Magazine 50, 1900; J. Cohen, "Statistical power analysis for the behavioral sciences", 1988,
          chapter 7 (w).
Cost      None worth counting; the smallest bias falls as 1/√n.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

LEVEL = 1e-4  # a right sampler fails one test in 10,000


def p_value(counts: npt.ArrayLike, distribution: npt.ArrayLike) -> float:
    """Probability of counts (k,) that are at least as far from the distribution (k,); 0 for one of what cannot be."""
    seen, p = (np.asarray(x, dtype=np.float64) for x in (counts, distribution))
    if seen[p == 0].any():
        return 0.0
    expected = seen.sum() * p[p > 0]
    statistic = ((seen[p > 0] - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, len(expected) - 1))


def bias(distribution: npt.ArrayLike, found: npt.ArrayLike) -> float:
    """w of a distribution (k,) that was found in place of another; half of Σ |p' - p| is never more than w / 2."""
    p, other = (np.asarray(x, dtype=np.float64) for x in (distribution, found))
    return float(np.sqrt(((other - p)[p > 0] ** 2 / p[p > 0]).sum()))


def smallest_bias(draws: int, cells: int, *, level: float = LEVEL, power: float = 0.99) -> float:
    """w that a test of so many draws finds with probability `power`, when it may fail a right sampler with probability `level`."""
    limit = chi2.isf(level, cells - 1)
    found = brentq(lambda noncentrality: ncx2.sf(limit, cells - 1, noncentrality) - power, 1e-6, 1e4)
    return float(np.sqrt(found / draws))
