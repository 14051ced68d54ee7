"""Kernels that wait for bytes: norms, softmax, SwiGLU, rope and losses beside eager torch and torch.compile.

`bytes` is what any implementation must move: each input once in, each output once out. Contenders see the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels.cross_entropy import cross_entropy
from mlsys_core.kernels.layer_norm import add_layer_norm, layer_norm
from mlsys_core.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_cost
from mlsys_core.kernels.rms_norm import add_rms_norm, rms_norm
from mlsys_core.kernels.rope import rope, rope_table
from mlsys_core.kernels.softmax import softmax
from mlsys_core.kernels.swiglu import swiglu, swiglu_packed
from tests.benchmarks.kernels.harness import Case, Goal, Run, captured

FAMILY, HALF, EPS = "elementwise", torch.bfloat16, 1e-5
SHAPES = [(16384, 4096), (8192, 8192)]
Function = Callable[..., Any]


def normal(*shape: int, grad: bool = False) -> torch.Tensor:
    """Normal numbers in bfloat16."""
    return torch.randn(shape, device="cuda", dtype=HALF).requires_grad_(grad)


def called(ours: Function, theirs: Function, *inputs: torch.Tensor) -> dict[str, Run]:
    """The forwards, without gradients, as CUDA graphs; each is called once, so that what is compiled at the first call is compiled."""
    torch._dynamo.reset()
    functions = {"ours": ours, "eager": theirs, "compile": torch.compile(theirs)}
    with torch.no_grad():
        for function in functions.values():
            function(*inputs)
        return {name: captured(lambda f=function: f(*inputs)) for name, function in functions.items()}


def differentiated(ours: Function, theirs: Function, *inputs: torch.Tensor) -> dict[str, Run]:
    """Gradients of the inputs along a graph that is kept, under one cotangent. No CUDA graph: a backward runs where its forward ran."""
    torch._dynamo.reset()
    runs: dict[str, Run] = {}
    for name, function in {"ours": ours, "eager": theirs, "compile": torch.compile(theirs)}.items():
        kept = function(*inputs)
        cotangent = torch.randn_like(kept)
        runs[name] = lambda k=kept, c=cotangent: torch.autograd.grad(k, inputs, c, retain_graph=True)
        runs[name]()
    return runs


def trained(ours: Function, theirs: Function, *inputs: torch.Tensor) -> dict[str, Run]:
    """Forward and gradients of the inputs, as CUDA graphs."""
    torch._dynamo.reset()
    functions = {"ours": ours, "eager": theirs, "compile": torch.compile(theirs)}
    return {
        name: captured(lambda f=function: torch.autograd.grad(f(*inputs), inputs))
        for name, function in functions.items()
    }


def rms(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """RMSNorm as torch has it."""
    return F.rms_norm(x, weight.shape, weight, EPS)


def layer(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """LayerNorm as torch has it."""
    return F.layer_norm(x, weight.shape, weight, bias, EPS)


def added(norm: Function) -> Function:
    """The norm of a sum, and the sum."""
    return lambda x, residual, *weights: (norm(x + residual, *weights), x + residual)


def norms() -> Iterator[Case]:
    """RMSNorm and LayerNorm, plain and after the addition, forward and backward."""
    for rows, width in SHAPES:
        size, shape, above = rows * width * 2, f"{rows}x{width}", (Goal("compile", 1.0),)
        x, residual, weight, bias = normal(rows, width), normal(rows, width), normal(width), normal(width)
        runs = called(lambda x, w: rms_norm(x, w, EPS), rms, x, weight)
        yield Case(FAMILY, f"rms_norm {shape}", runs, 2 * size, goals=above)
        runs = called(lambda x, r, w: add_rms_norm(x, r, w, EPS), added(rms), x, residual, weight)
        yield Case(FAMILY, f"add_rms_norm {shape}", runs, 4 * size, goals=above)
        yield Case(FAMILY, f"layer_norm {shape}", called(layer_norm, layer, x, weight, bias), 2 * size)
        runs = called(add_layer_norm, added(layer), x, residual, weight, bias)
        yield Case(FAMILY, f"add_layer_norm {shape}", runs, 4 * size)
        for one in (x, weight, bias):
            one.requires_grad_()
        runs = differentiated(rms_norm, rms, x, weight)
        yield Case(FAMILY, f"rms_norm backward {shape}", runs, 3 * size)
        runs = differentiated(layer_norm, layer, x, weight, bias)
        yield Case(FAMILY, f"layer_norm backward {shape}", runs, 3 * size)


def softmaxes() -> Iterator[Case]:
    """Softmax over rows in registers, and over rows of a vocabulary in tiles."""
    for rows, width in [*SHAPES, (2048, 128256)]:
        runs = called(softmax, lambda x: x.softmax(-1), normal(rows, width))
        goal = 0.9 if width <= 8192 else None
        yield Case(FAMILY, f"softmax {rows}x{width}", runs, 2 * rows * width * 2, floor_goal=goal)


def gates() -> Iterator[Case]:
    """SwiGLU from halves and from two tensors, forward and backward; rope on heads as a model has them."""
    rows, width = 16384, 11008
    size, goals = rows * width * 2, (Goal("compile", 1.0),)

    def apart(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        return F.silu(gate) * up

    def packed(x: torch.Tensor) -> torch.Tensor:
        return apart(*x.chunk(2, -1))

    x = normal(rows, 2 * width)
    yield Case(FAMILY, "swiglu packed 16384x11008", called(swiglu_packed, packed, x), 3 * size, goals=goals)
    gate, up = (one.contiguous() for one in x.chunk(2, -1))
    yield Case(FAMILY, "swiglu 16384x11008", called(swiglu, apart, gate, up), 3 * size, goals=goals)
    runs = differentiated(swiglu, apart, gate.requires_grad_(), up.requires_grad_())
    yield Case(FAMILY, "swiglu backward 16384x11008", runs, 5 * size)
    heads = normal(4, 4096, 32, 128).transpose(1, 2)
    cos, sin = rope_table(torch.arange(4096, device="cuda"), 128, 1e4, HALF)

    def turned(x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)

    runs = called(lambda x: rope(x, cos, sin), turned, heads)
    yield Case(FAMILY, "rope 4x32x4096x128", runs, 2 * heads.numel() * 2)


def losses() -> Iterator[Case]:
    """Cross-entropy of a vocabulary of 128,256 with its gradient, and the head without logits."""
    words = 128256
    for rows in (4096, 8192):
        targets, logits = torch.randint(words, (rows,), device="cuda"), normal(rows, words, grad=True)
        runs = trained(
            lambda x, t=targets: cross_entropy(x, t), lambda x, t=targets: F.cross_entropy(x.float(), t), logits
        )
        size = 2 * logits.numel() * 2
        yield Case(FAMILY, f"cross_entropy fwd+bwd {rows}x{words}", runs, size, goals=(Goal("compile", 2.0),))
    del logits, runs
    hidden, weight = normal(4096, 4096, grad=True), (normal(words, 4096) * 0.02).requires_grad_()

    def head(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy((hidden @ weight.T).float(), targets[:4096])

    runs = trained(lambda h, w: linear_cross_entropy(h, w, targets[:4096]), head, hidden, weight)
    flops = linear_cross_entropy_cost(4096, 4096, words, 2).flops
    yield Case(FAMILY, "linear cross_entropy 4096x4096x128256", runs, flops=flops)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from norms()
    yield from softmaxes()
    yield from gates()
    yield from losses()
