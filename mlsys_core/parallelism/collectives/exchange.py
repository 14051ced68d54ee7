"""All-to-all: every rank has something for every other.

Idea      In step s each rank sends to the one s places on and receives from the one s places back, so that no port is asked for
          two messages at once.
Equation  In step s = 1 … p-1: r → r + s, r ← r - s (mod p).
Paper     R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, section 4.4 (pairwise exchange, for long messages).
Cost      (p-1) α + (p-1)/p n β for n bytes a rank, evenly split.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mlsys_core.parallelism.collectives.ring import chunk_sizes
from mlsys_core.parallelism.communication import Communicator


def all_to_all_single(
    output: Tensor,
    tensor: Tensor,
    comm: Communicator,
    output_splits: Sequence[int] | None = None,
    input_splits: Sequence[int] | None = None,
) -> Tensor:
    """Part r of each rank's tensor goes to rank r; output holds what came, by sender. Returns output.

    Splits count along the first axis, a number a rank; without them the axis is cut evenly. What a rank sends to another must
    be as much as that one expects of it.
    """
    outgoing = tensor.detach().split(_splits(input_splits, len(tensor), comm.size))
    incoming = output.detach().split(_splits(output_splits, len(output), comm.size))
    incoming[comm.rank].copy_(outgoing[comm.rank])
    for step in range(1, comm.size):
        to, source = (comm.rank + step) % comm.size, (comm.rank - step) % comm.size
        comm.sendrecv(outgoing[to], to, incoming[source], source)
    return output


def all_to_all_sent(input_splits: Sequence[int], rank: int) -> int:
    """Rows that a rank sends: all but its own part."""
    return sum(input_splits) - input_splits[rank]


def all_to_all_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds where each rank has n bytes, evenly split."""
    return (p - 1) * (alpha + n / p * beta)


def _splits(given: Sequence[int] | None, rows: int, p: int) -> list[int]:
    splits = chunk_sizes(rows, p) if given is None else list(given)
    if len(splits) != p or sum(splits) != rows:
        raise ValueError(f"Splits {splits} do not cut {rows} rows into {p} parts: give a number a rank, {rows} in all.")
    return splits
