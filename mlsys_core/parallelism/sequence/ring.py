"""Ring attention: queries stay, keys and values travel, and travel while the block before is computed.

Idea      Each rank holds a part of the sequence. In p steps the parts of keys and values go once around a ring; each rank reads
          from the one that it has and merges what it read. On the way back keys and values go around once more, and their
          gradients with them, one step behind, until they are home.
Equation  see `blocks`; a step is hidden when 4 B H c² D / F ≥ α + β 2 B K c D e for c positions a rank, F FLOP/s, e bytes a number
Paper     H. Liu et al., "Ring attention with blockwise transformers for near-infinite context", arXiv 2310.01889, section 3.
Cost      `ring_attention_cost`: p - 1 moves of keys and values forward; p - 1 and p moves of their gradients backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Any

import torch
from torch import Tensor

from mlsys_core.parallelism.communication import Communicator, Fabric, Work
from mlsys_core.parallelism.sequence.blocks import (
    BACKWARD_PRODUCTS,
    FORWARD_PRODUCTS,
    Part,
    attend_block,
    block_flops,
    block_gradients,
    by_group,
    merge,
    nothing_read,
)
from mlsys_core.parallelism.sequence.placement import Pair, Placement
from mlsys_core.parallelism.volume import Volume, one_way_volume


@dataclass(frozen=True)
class _Ring:
    """A rank's place in the ring, and what it knows of the others."""

    comm: Communicator
    placement: Placement
    causal: bool
    flops_per_s: float

    def source(self, step: int) -> int:
        """Whose keys are here in a step."""
        return (self.comm.rank - step) % self.comm.size

    def pass_on(self, tensor: Tensor, step: int) -> tuple[Tensor, Work]:
        """Sends what is here in a step to the next rank, beside the computation; also the place where the next one will be."""
        comm, shape = self.comm, list(tensor.shape)
        shape[-2] = self.placement.sizes[self.source(step + 1)]
        into = tensor.new_empty(shape)
        to, source = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        return into, comm.start(lambda: comm.sendrecv(tensor, to, into, source))

    def visit(
        self, q: Tensor, kv: Tensor, step: int, products: int, read: Callable[[Pair, Tensor, Tensor], None]
    ) -> None:
        """Calls read(pair of slices) for each pair of chunks that is not wholly masked, and tells the clock."""
        for pair in self.placement.pairs(self.comm.rank, self.source(step), causal=self.causal):
            rows, keys = q[..., pair.queries, :], kv[..., pair.keys, :]
            read(pair, rows, keys)
            self.comm.compute(block_flops(rows, keys.shape[-2], products) / self.flops_per_s, "attention")


def _forward(q: Tensor, kv: Tensor, ring: _Ring) -> Part:
    whole = nothing_read(q)

    def read(pair: Pair, rows: Tensor, keys: Tensor) -> None:
        at = pair.queries
        so_far = Part(whole.out[..., at, :], whole.lse[..., at])
        out, lse = merge(so_far, attend_block(rows, keys[0], keys[1], diagonal=pair.diagonal))
        whole.out[..., at, :], whole.lse[..., at] = out, lse

    for step in range(ring.comm.size):
        coming, moving = (kv, None) if step == ring.comm.size - 1 else ring.pass_on(kv, step)
        ring.visit(q, kv, step, FORWARD_PRODUCTS, read)
        if moving is not None:
            moving.wait()
        kv = coming
    return whole


def _backward(g: Tensor, q: Tensor, kv: Tensor, whole: Part, ring: _Ring) -> tuple[Tensor, Tensor]:
    q_grad, kv_grad, steps = torch.zeros_like(q), torch.zeros_like(kv), ring.comm.size
    arriving: Work | None = None
    for step in range(steps):
        coming, moving = (kv, None) if step == steps - 1 else ring.pass_on(kv, step)
        share = torch.zeros_like(kv)

        def read(pair: Pair, rows: Tensor, keys: Tensor, share: Tensor = share) -> None:
            at = pair.queries
            part = Part(whole.out[..., at, :], whole.lse[..., at])
            grads = block_gradients(g[..., at, :], rows, (keys[0], keys[1]), part, diagonal=pair.diagonal)
            q_grad[..., at, :] += grads[0]
            share[..., pair.keys, :] += torch.stack(grads[1:])

        ring.visit(q, kv, step, BACKWARD_PRODUCTS, read)
        if arriving is not None:
            arriving.wait()  # what the ranks before added, sent while the block was computed
        share += kv_grad
        kv_grad, arriving = ring.pass_on(share, step) if steps > 1 else (share, None)
        if moving is not None:
            moving.wait()
        kv = coming
    if arriving is not None:
        arriving.wait()
    return q_grad, kv_grad


class _RingAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, ring: _Ring) -> Tensor:
        grouped, kv = by_group(q, k.shape[1]), torch.stack((k, v))
        whole = _forward(grouped, kv, ring)
        ctx.ring = ring
        ctx.save_for_backward(grouped, kv, *whole)
        return whole.out.flatten(1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, kv, out, lse = ctx.saved_tensors
        q_grad, kv_grad = _backward(by_group(grads[0], kv.shape[2]), q, kv, Part(out, lse), ctx.ring)
        return q_grad.flatten(1, 2), kv_grad[0], kv_grad[1], None


def ring_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    comm: Communicator,
    placement: Placement,
    *,
    causal: bool = True,
    flops_per_s: float = inf,
) -> Tensor:
    """Exact attention over the whole sequence: q (B, H, T_r, D), k and v (B, K, T_r, D) at this rank's positions -> (B, H, T_r, D).

    `flops_per_s` tells the clock of ranks in one process how long a block takes. Raises ValueError where the placement is of
    another number of ranks or positions.
    """
    if placement.ranks != comm.size or placement.sizes[comm.rank] != q.shape[-2]:
        raise ValueError(
            f"Rank {comm.rank} of {comm.size} has {q.shape[-2]} positions, but the placement is for {placement.ranks} ranks "
            f"with {placement.sizes} positions: make it for this group and this sequence."
        )
    result: Tensor = _RingAttention.apply(q, k, v, _Ring(comm, placement, causal, flops_per_s))
    return result


@dataclass(frozen=True)
class RingCost:
    """FLOPs of each rank forward (backward 2.5 times as many), and bytes that all send together."""

    forward_flops: tuple[int, ...]
    volume: Volume

    @property
    def imbalance(self) -> float:
        """The busiest rank's work over the mean: how much longer than necessary everyone waits."""
        return max(self.forward_flops) * len(self.forward_flops) / sum(self.forward_flops)


def ring_attention_cost(
    placement: Placement, q_shape: tuple[int, int, int], kv_heads: int, *, causal: bool = True, element_size: int = 4
) -> RingCost:
    """Of q_shape = (B, H, D). A block on the diagonal counts whole: half of it is computed and thrown away."""
    batch, heads, size = q_shape
    flops = tuple(
        2
        * FORWARD_PRODUCTS
        * batch
        * heads
        * size
        * sum(_area(placement, rank, source, causal=causal) for source in range(p))
        for p in (placement.ranks,)
        for rank in range(p)
    )
    kv = 2 * batch * kv_heads * placement.length * size * element_size
    once = one_way_volume(kv, placement.ranks)
    home = kv * placement.ranks * (placement.ranks > 1)
    return RingCost(flops, Volume(forward=once, backward=once + home))


def hidden_length(
    fabric: Fabric, flops_per_s: float, q_shape: tuple[int, int, int], kv_heads: int, *, element_size: int = 4
) -> int:
    """The fewest positions a rank from which a full block's computation hides the transfer of the next, of (B, H, D).

    The root of a c² - b c - α = 0 with a = 4 B H D / F seconds and b = β 2 B K D e; for α = 0 and as many heads of keys as
    heads c = F β e / 2, which is the paper's F/B for 2-byte numbers.
    """
    batch, heads, size = q_shape
    a = 4 * batch * heads * size / flops_per_s
    b = fabric.beta_s * 2 * batch * kv_heads * size * element_size
    return ceil((b + sqrt(b * b + 4 * a * fabric.alpha_s)) / (2 * a))


def _area(placement: Placement, rank: int, source: int, *, causal: bool) -> int:
    pairs = placement.pairs(rank, source, causal=causal)
    return sum(pair.area for pair in pairs)
