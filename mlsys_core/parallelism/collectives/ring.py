"""Rings: every rank passes on to its neighbour what it just completed or received, and each byte crosses each link once.

Idea      Cut the tensor into a chunk a rank. In p - 1 steps the chunks go round and are summed, in p - 1 more the sums go round,
          so that all links are busy in every step and nobody sends more than anyone else.
Equation  In step s rank r sends chunk r - s - 1 and adds what it gets to chunk r - s - 2 (mod p); then it owns the sum of chunk r.
Paper     P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 69(2), 2009.
Cost      reduce-scatter and all-gather: (p-1) α + (p-1)/p n β each; all-reduce is the one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mlsys_core.parallelism.communication import Communicator


def chunk_sizes(total: int, parts: int) -> list[int]:
    """How `total` elements are cut into parts whose sizes differ by one at most, the longer ones first."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def ring_all_reduce(flat: Tensor, comm: Communicator) -> None:
    """Sums a flat contiguous tensor of the same length on every rank, in place."""
    chunks = list(flat.split(chunk_sizes(flat.numel(), comm.size)))
    _reduce_chunks(chunks, comm)
    _gather_chunks(chunks, comm)


def reduce_scatter(output: Tensor, tensors: Sequence[Tensor], comm: Communicator) -> Tensor:
    """output becomes the sum of every rank's tensors[rank]; the tensors of a rank may be of different shapes. Returns output."""
    chunks = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in _of_every_rank(tensors, comm)]
    _reduce_chunks(chunks, comm)
    output.detach().copy_(_like(chunks[comm.rank], output))
    return output


def all_gather(outputs: Sequence[Tensor], tensor: Tensor, comm: Communicator) -> Sequence[Tensor]:
    """outputs[r] becomes rank r's tensor; they may be of different shapes. Returns outputs."""
    chunks = [output.detach() for output in _of_every_rank(outputs, comm)]
    chunks[comm.rank].copy_(_like(tensor.detach(), chunks[comm.rank]))
    _gather_chunks(chunks, comm)
    return outputs


def reduce_scatter_tensor(output: Tensor, tensor: Tensor, comm: Communicator) -> Tensor:
    """output (n, …) becomes this rank's part of the sum of every rank's tensor (p n, …). Returns output."""
    _whole(tensor, output, comm.size)
    return reduce_scatter(output, tensor.split([len(output)] * comm.size), comm)


def all_gather_into_tensor(output: Tensor, tensor: Tensor, comm: Communicator) -> Tensor:
    """output (p n, …) becomes every rank's tensor (n, …), in the order of ranks. Returns output."""
    _whole(output, tensor, comm.size)
    all_gather(output.detach().split([len(tensor)] * comm.size), tensor, comm)
    return output


def ring_steps(p: int) -> int:
    """Messages one after the other of a reduce-scatter or an all-gather; all-reduce has twice as many."""
    return p - 1


def reduce_scatter_sent(sizes: Sequence[int], rank: int) -> int:
    """Elements that a rank sends where part r has sizes[r]: all but the part that it keeps."""
    return sum(sizes) - sizes[rank]


def all_gather_sent(sizes: Sequence[int], rank: int) -> int:
    """Elements that a rank sends where part r has sizes[r]: all but the part that its neighbour had to begin with."""
    return sum(sizes) - sizes[(rank + 1) % len(sizes)]


def ring_all_reduce_sent(p: int, n: int, rank: int) -> int:
    """Elements of n that a rank sends: 2 (p-1)/p n where p divides n."""
    sizes = chunk_sizes(n, p)
    return reduce_scatter_sent(sizes, rank) + all_gather_sent(sizes, rank)


def ring_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds of a reduce-scatter or an all-gather of n bytes in all; of the largest part p times where they are uneven."""
    return (p - 1) * (alpha + n / p * beta)


def ring_all_reduce_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds of an all-reduce of n bytes."""
    return 2 * ring_cost(p, n, alpha, beta)


def _reduce_chunks(chunks: list[Tensor], comm: Communicator) -> None:
    """Leaves the sum of chunk r in rank r's list; the others hold parts of sums."""
    after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    for step in range(comm.size - 1):
        out, come = (comm.rank - step - 1) % comm.size, (comm.rank - step - 2) % comm.size
        chunks[come].add_(comm.sendrecv(chunks[out], after, torch.empty_like(chunks[come]), before))


def _gather_chunks(chunks: list[Tensor], comm: Communicator) -> None:
    """Fills every chunk from the rank of its number."""
    after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    for step in range(comm.size - 1):
        out, come = (comm.rank - step) % comm.size, (comm.rank - step - 1) % comm.size
        comm.sendrecv(chunks[out], after, chunks[come], before)


def _of_every_rank(tensors: Sequence[Tensor], comm: Communicator) -> Sequence[Tensor]:
    if len(tensors) != comm.size:
        raise ValueError(f"{len(tensors)} tensors were given where each of {comm.size} ranks has one.")
    return tensors


def _like(tensor: Tensor, other: Tensor) -> Tensor:
    """copy_ would broadcast and convert; a collective does neither."""
    if tensor.shape != other.shape or tensor.dtype != other.dtype:
        raise ValueError(
            f"{tuple(tensor.shape)} {tensor.dtype} does not fit into {tuple(other.shape)} {other.dtype}: give the same for both."
        )
    return tensor


def _whole(whole: Tensor, part: Tensor, p: int) -> None:
    if whole.shape[0] != p * part.shape[0]:
        raise ValueError(
            f"{whole.shape[0]} rows are not {p} times {part.shape[0]}: give one part of the same size a rank."
        )
