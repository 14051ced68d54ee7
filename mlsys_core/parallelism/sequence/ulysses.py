"""Ulysses: for the time of attention, ranks trade their part of the sequence for a part of the heads.

Idea      Everything but attention works on positions alone, and attention works on heads alone. One all-to-all turns all heads of
          some positions into all positions of some heads; an ordinary attention follows; a second all-to-all turns it back.
Equation  rank r sends to rank d its T_r positions of d's heads; bytes a rank (p-1)/p² · T (2 H + 2 K) D e in all
Paper     S. A. Jacobs et al., "DeepSpeed Ulysses", arXiv 2309.14509, section 3.
Cost      `ulysses_cost`, exact. The volume a rank falls with p, where that of ring attention does not. At most H ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.collectives import all_to_all_single
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.sequence.placement import Placement
from mlsys_core.parallelism.volume import Volume

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Heads:
    """Which heads each rank computes, and which heads of keys those read from.

    Where there are fewer heads of keys than ranks, several ranks get the same one.
    """

    heads: int
    kv_heads: int
    ranks: int

    def __post_init__(self) -> None:
        if self.heads % self.ranks:
            raise ValueError(
                f"{self.heads} heads cannot be shared evenly by {self.ranks} ranks: use a number of ranks that divides it, "
                "or ring attention, which does not cut heads."
            )

    def queries(self, rank: int) -> range:
        """Heads that a rank computes."""
        each = self.heads // self.ranks
        return range(rank * each, (rank + 1) * each)

    def keys(self, rank: int) -> range:
        """Heads of keys that they read from."""
        own, group = self.queries(rank), self.heads // self.kv_heads
        return range(own[0] // group, own[-1] // group + 1)

    def widths(self, rank: int) -> list[int]:
        """How many heads of q, k and v a rank gets."""
        return [len(self.queries(rank)), len(self.keys(rank)), len(self.keys(rank))]

    def key_of_query(self, rank: int) -> Tensor:
        """For each head that a rank computes, the number of its head of keys among those that the rank gets."""
        group = self.heads // self.kv_heads
        return torch.tensor([head // group - self.keys(rank)[0] for head in self.queries(rank)])


def _to_heads(x: Tensor, comm: Communicator, widths: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """x (B, Σ widths, T_r, D), heads by the rank that they are for -> (B, widths[rank], T, D), parts in the order of ranks."""
    sent = torch.cat([part.flatten() for part in x.split(list(widths), 1)])
    shapes = [(len(x), widths[comm.rank], size, x.shape[-1]) for size in sizes]
    came = _exchange(sent, comm, [x[:, :1].numel() * width for width in widths], shapes)
    return torch.cat(came, 2)


def _to_sequence(x: Tensor, comm: Communicator, widths: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """x (B, widths[rank], T, D) -> (B, Σ widths, T_r, D): the way back of `_to_heads`."""
    parts = x.split(list(sizes), 2)
    shapes = [(len(x), width, sizes[comm.rank], x.shape[-1]) for width in widths]
    came = _exchange(torch.cat([part.flatten() for part in parts]), comm, [part.numel() for part in parts], shapes)
    return torch.cat(came, 1)


def _exchange(sent: Tensor, comm: Communicator, pieces: list[int], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Stretches of numbers to each rank; what came from each, in its shape."""
    counts = [torch.Size(shape).numel() for shape in shapes]
    came = all_to_all_single(sent.new_empty(sum(counts)), sent, comm, counts, pieces)
    return [part.view(shape) for part, shape in zip(came.split(counts), shapes, strict=True)]


class _Trade(torch.autograd.Function):
    """An all-to-all, whose transpose is the one back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Callable[..., Tensor], back: Callable[..., Tensor], about: Any) -> Tensor:
        ctx.back, ctx.about = back, about
        return there(x, *about)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.back(grads[0], *ctx.about), None, None, None


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one device over a whole sequence in order."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def ulysses_attention(
    q: Tensor, k: Tensor, v: Tensor, comm: Communicator, placement: Placement, *, attend: Attend = causal_attention
) -> Tensor:
    """Exact attention over the whole sequence: q (B, H, T_r, D), k and v (B, K, T_r, D) at this rank's positions -> (B, H, T_r, D).

    `attend` gets whole sequences in order, q, k and v (B, H/p, T, D). Raises ValueError where H is not a multiple of p.
    """
    share, ranks, me = Heads(q.shape[1], k.shape[1], comm.size), range(comm.size), comm.rank
    packed = torch.cat([x for d in ranks for x in (q[:, _of(share.queries(d))], *_kv(k, v, share.keys(d)))], 1)
    in_about = (comm, [sum(share.widths(d)) for d in ranks], placement.sizes)
    whole = _Trade.apply(packed, _to_heads, _to_sequence, in_about)
    order = torch.cat([placement.positions(d) for d in ranks])
    own_q, own_k, own_v = whole.index_select(2, order.argsort()).split(share.widths(me), 1)
    which = share.key_of_query(me)
    read = attend(own_q, own_k[:, which], own_v[:, which]).index_select(2, order)
    out_about = (comm, [len(share.queries(d)) for d in ranks], placement.sizes)
    result: Tensor = _Trade.apply(read, _to_sequence, _to_heads, out_about)
    return result


def ulysses_cost(
    placement: Placement, q_shape: tuple[int, int, int], kv_heads: int, *, element_size: int = 4
) -> Volume:
    """Bytes that all ranks send together, of q_shape = (B, H, D): two all-to-alls forward, and the same two backward."""
    batch, heads, size = q_shape
    share = Heads(heads, kv_heads, placement.ranks)
    there = sum((placement.length - placement.sizes[d]) * sum(share.widths(d)) for d in range(placement.ranks))
    back = sum((placement.length - placement.sizes[d]) * len(share.queries(d)) for d in range(placement.ranks))
    total = (there + back) * batch * size * element_size
    return Volume(forward=total, backward=total)


def _of(heads: range) -> slice:
    return slice(heads.start, heads.stop)


def _kv(k: Tensor, v: Tensor, heads: range) -> tuple[Tensor, Tensor]:
    return k[:, _of(heads)], v[:, _of(heads)]
