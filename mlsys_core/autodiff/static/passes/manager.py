"""Runs passes in order and tells what each did.

Idea      A pass keeps the meaning of a graph and is idempotent, so passes can be composed freely; which order pays is a
          choice that a list writes down. Folding makes equal constants, which merging then finds, and what merging
          leaves unread is swept before fusion counts readers.
Equation  optimised = (pₖ ∘ … ∘ p₁)(graph)
Paper     C. Lattner, V. Adve, "LLVM", CGO 2004; C. Lattner et al., "MLIR", CGO 2021 (pass managers).
Cost      The sum of the passes: all here are linear in the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mlsys_core.autodiff.static.ir import Graph
from mlsys_core.autodiff.static.passes.eliminate import eliminate_dead
from mlsys_core.autodiff.static.passes.fold import fold_constants
from mlsys_core.autodiff.static.passes.fuse import fuse_elementwise
from mlsys_core.autodiff.static.passes.merge import merge_common

Pass: TypeAlias = Callable[[Graph], Graph]
CLEANING: tuple[Pass, ...] = (eliminate_dead, fold_constants, merge_common)
EVERY: tuple[Pass, ...] = (*CLEANING, fuse_elementwise)


@dataclass(frozen=True, slots=True)
class Report:
    """Operations before and after a pass, inputs and constants apart."""

    name: str
    before: int
    after: int


class PassManager:
    """A list of passes; `reports` tells what each did in the last run."""

    def __init__(self, passes: Sequence[Pass] = EVERY) -> None:
        self.passes = tuple(passes)
        self.reports: list[Report] = []

    def run(self, graph: Graph) -> Graph:
        """The graph after all passes, each run once."""
        self.reports = []
        for step in self.passes:
            changed = step(graph)
            self.reports.append(Report(step.__name__, graph.count(), changed.count()))
            graph = changed
        return graph


def optimize(graph: Graph, passes: Sequence[Pass] = EVERY) -> Graph:
    """The graph after these passes."""
    return PassManager(passes).run(graph)
