"""Passes: functions from a static graph to one that gives the same numbers for less work.

Read `eliminate` (dead code), `merge` (common subexpressions), `fold` (constants), `fuse` (elementwise fusion), then
`manager`, which puts them in order.
"""

from __future__ import annotations

from mlsys_core.autodiff.static.passes.eliminate import eliminate_dead
from mlsys_core.autodiff.static.passes.fold import fold_constants, freeze
from mlsys_core.autodiff.static.passes.fuse import fuse_elementwise
from mlsys_core.autodiff.static.passes.manager import CLEANING, EVERY, PassManager, Report, optimize
from mlsys_core.autodiff.static.passes.merge import merge_common

__all__ = [
    "CLEANING",
    "EVERY",
    "PassManager",
    "Report",
    "eliminate_dead",
    "fold_constants",
    "freeze",
    "fuse_elementwise",
    "merge_common",
    "optimize",
]
