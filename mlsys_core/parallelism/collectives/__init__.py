"""Collectives from messages: what every rank has, everyone gets. A file an idea; `all_reduce` chooses by name.

Read `ring` first, then `tree`, `halving`, `exchange`, `islands` and `choose`. Each file has its algorithm, what a rank sends, how
many steps it takes, and its time by the α-β model, which the log of a run equals.
"""

from __future__ import annotations

from mlsys_core.parallelism.collectives.choose import ALL_REDUCE, all_reduce, barrier, best_algorithm, crossovers
from mlsys_core.parallelism.collectives.exchange import all_to_all_single
from mlsys_core.parallelism.collectives.islands import Islands, two_level_all_reduce
from mlsys_core.parallelism.collectives.ring import (
    all_gather,
    all_gather_into_tensor,
    chunk_sizes,
    reduce_scatter,
    reduce_scatter_tensor,
)
from mlsys_core.parallelism.collectives.tree import broadcast, reduce

__all__ = [
    "ALL_REDUCE",
    "Islands",
    "all_gather",
    "all_gather_into_tensor",
    "all_reduce",
    "all_to_all_single",
    "barrier",
    "best_algorithm",
    "broadcast",
    "chunk_sizes",
    "crossovers",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "two_level_all_reduce",
]
