"""Which weights stay: masks by a score, over a matrix, over each row, or n of every m neighbours.

Idea      Every method of pruning gives each weight a score and keeps the highest. What differs between patterns is among whom a weight
          competes: all of the matrix, its row, or the m weights of its group. The narrower the field, the easier for hardware, and the more
          often a good weight loses.
Equation  keep = the k highest of a field of f weights, k = f - round(s f), or n of m; of equal scores the first is kept
Paper     S. Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS 2015; A. Mishra et al.,
          "Accelerating sparse deep neural networks", arXiv 2104.08378 (2:4); M. Sun et al., "A simple and effective pruning approach for
          large language models", ICLR 2024, section 3 (rows).
Cost      A sort of each field. Stored, `NM` takes n (b + log2 m) / m bits a weight of b bits, and other patterns (1 - s) b + 1.

    Unstructured(0.5).mask(weight.abs())        PerRow(0.5).mask(…)        NM(2, 4).mask(…)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Protocol

import torch
from torch import Tensor


class Pattern(Protocol):
    """Among whom weights compete, and how many of them stay."""

    @property
    def group(self) -> int | None:
        """Neighbours along a row that are chosen together; None where whole rows are needed."""

    @property
    def density(self) -> float:
        """The part of the weights that stays, up to rounding."""

    def mask(self, scores: Tensor) -> Tensor:
        """scores (n, k) -> bool of the same shape, True where a weight stays."""

    def bits_a_weight(self, bits: float) -> float:
        """Bits that a weight takes on average, zeros included, where one that stays has `bits`."""


@dataclass(frozen=True)
class Unstructured:
    """The lowest `sparsity` of a whole matrix goes. Raises ValueError for a share outside of 0 to 1."""

    sparsity: float

    def __post_init__(self) -> None:
        _check_share(self.sparsity)

    @property
    def group(self) -> int | None:
        """A matrix is chosen from as a whole."""
        return None

    @property
    def density(self) -> float:
        """1 - sparsity."""
        return 1 - self.sparsity

    def mask(self, scores: Tensor) -> Tensor:
        """scores (n, k) -> bool (n, k) with n k - round(sparsity n k) True."""
        return _highest(scores.reshape(1, -1), self.sparsity).view(scores.shape)

    def bits_a_weight(self, bits: float) -> float:
        """The weights that stay, and a bit for each place that says whether one does."""
        return self.density * bits + 1


@dataclass(frozen=True)
class PerRow(Unstructured):
    """The lowest `sparsity` of every row goes, so that each output keeps as many inputs."""

    def mask(self, scores: Tensor) -> Tensor:
        """scores (n, k) -> bool (n, k) with k - round(sparsity k) True in every row."""
        return _highest(scores, self.sparsity)


@dataclass(frozen=True)
class NM:
    """`kept` stay of every `of` neighbours along a row. Raises ValueError where that is not a part of a group."""

    kept: int
    of: int

    def __post_init__(self) -> None:
        if not 0 < self.kept <= self.of:
            raise ValueError(f"{self.kept} of {self.of} weights cannot stay: give a number from 1 to the group's size.")

    @property
    def group(self) -> int | None:
        """The size of a group."""
        return self.of

    @property
    def density(self) -> float:
        """kept / of."""
        return self.kept / self.of

    def mask(self, scores: Tensor) -> Tensor:
        """scores (n, k) -> bool (n, k), `kept` True in every group. Raises ValueError where groups do not divide k."""
        if scores.shape[-1] % self.of:
            raise ValueError(
                f"Rows of {scores.shape[-1]} cannot be cut into groups of {self.of}: give a multiple of it."
            )
        cut = scores.unflatten(-1, (-1, self.of))
        return _highest(cut, 1 - self.density).flatten(-2)

    def bits_a_weight(self, bits: float) -> float:
        """The weights that stay, each with its place in the group."""
        return self.density * (bits + log2(self.of))


def is_n_of_m(weight: Tensor, pattern: NM) -> bool:
    """Whether every group of weight (n, k) has at most as many weights that are not zero as may stay."""
    stay = (weight != 0).unflatten(-1, (-1, pattern.of)).sum(-1)
    return bool((stay <= pattern.kept).all())


def sparsity(weight: Tensor) -> float:
    """The part of the weights that is zero."""
    return float((weight == 0).double().mean())


def _highest(scores: Tensor, sparsity: float) -> Tensor:
    """True at the highest of each field (…, f), all but round(sparsity f)."""
    size = scores.shape[-1]
    order = scores.argsort(dim=-1, descending=True, stable=True)
    rank_stays = torch.arange(size, device=scores.device) < size - round(sparsity * size)
    return torch.zeros_like(order, dtype=torch.bool).scatter_(-1, order, rank_stays.expand_as(order))


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"The share of weights that go lies between 0 and 1, and this is {share}.")
