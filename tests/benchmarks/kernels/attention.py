"""Attention forward and backward in bf16 beside SDPA's FlashAttention-2 and cuDNN."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlsys_core.kernels.attention import flash_attention
from tests.benchmarks.kernels.harness import Case, Goal

BACKENDS = {"flash2": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def _forward(q: Tensor, k: Tensor, v: Tensor, causal: bool, backend: SDPBackend) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    return run


def _backward(forward: Callable[[], Tensor], leaves: list[Tensor], grad: Tensor) -> Callable[[], object]:
    out = forward()
    return lambda: torch.autograd.grad(out, leaves, grad, retain_graph=True)


def cases() -> Iterator[Case]:
    """16,384 tokens or one sequence, 2,048 / D heads; the backward at 8,192."""
    for d in (64, 128):
        for causal in (False, True):
            for s in (2048, 8192, 16384):
                yield from _cases(d, causal, s)


def _cases(d: int, causal: bool, s: int) -> Iterator[Case]:
    shape = (max(1, 16384 // s), 2048 // d, s, d)
    q, k, v, grad = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    runs: dict[str, Callable[[], Tensor]] = {"ours": lambda: flash_attention(q, k, v, causal=causal)}
    broken = []
    for name, backend in BACKENDS.items():
        run = _forward(q, k, v, causal, backend)
        try:
            run()
        except RuntimeError as error:
            broken.append(f"{name} broken: {str(error).splitlines()[0]}")
        else:
            runs[name] = run
    goals = (Goal("flash2", 1.0), *([Goal("cudnn", 0.8)] if d == 128 else []))
    flops = 4 * q.numel() * s * (0.5 if causal else 1.0)
    name = f"D {d} S {s} {'causal' if causal else 'full'}"
    yield Case("attention", f"forward {name}", runs, 8 * q.numel(), flops, goals=goals, note="; ".join(broken))
    if s == 8192:
        leaves = [x.requires_grad_() for x in (q, k, v)]
        back = {name: _backward(run, leaves, grad) for name, run in runs.items()}
        yield Case(
            "attention", f"backward {name}", back, 16 * q.numel(), 2.5 * flops, goals=(Goal("flash2", 1.0),),
            note="; ".join(broken),
        )  # fmt: skip
