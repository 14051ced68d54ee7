"""Attention over a sequence that ranks share, and the same by torch on the gathered tensors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.communication import Fabric, Log, run_ranks
from mlsys_core.parallelism.sequence import Placement

NAMES = ("output", "q gradient", "k gradient", "v gradient")


def draw(seed: int, length: int, heads: int, kv_heads: int, *, batch: int = 2, size: int = 4) -> tuple[Tensor, ...]:
    """q, k, v and a cotangent of the output, float64."""
    draws = torch.Generator().manual_seed(seed)
    shapes = [(batch, h, length, size) for h in (heads, kv_heads, kv_heads, heads)]
    q, k, v, g = (torch.randn(shape, generator=draws, dtype=torch.float64) for shape in shapes)
    return q, k, v, g


def shared(attend: Callable, case: tuple[Tensor, ...], placement: Placement, fabric: Fabric | None = None):
    """What all ranks together get, by name; bytes sent forward and backward; the log."""

    def program(comm):
        q, k, v, g = (placement.take(x, comm.rank, 2).requires_grad_() for x in case)
        out = attend(q, k, v, comm, placement)
        forward = comm.sent_bytes
        out.backward(g)
        return (out.detach(), q.grad, k.grad, v.grad), (forward, comm.sent_bytes - forward)

    results, log = run_ranks(placement.ranks, program, fabric=fabric)
    found = {name: placement.restore([tensors[i] for tensors, _ in results], 2) for i, name in enumerate(NAMES)}
    sent = [sum(sizes) for sizes in zip(*(sizes for _, sizes in results), strict=True)]
    return found, sent, log


def gathered(case: tuple[Tensor, ...], causal: bool) -> dict[str, Tensor]:
    """SDPA on one device."""
    q, k, v = (x.clone().requires_grad_() for x in case[:3])
    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    out.backward(case[3])
    return dict(zip(NAMES, (out.detach(), q.grad, k.grad, v.grad), strict=True))


def computing(log: Log, rank: int) -> float:
    """Seconds that a rank computed, by the model."""
    return sum(span.ended_at - span.begun_at for span in log.spans if span.rank == rank and span.track == "main")
