"""How the tests of operators ask: outputs and gradients of a kernel beside torch's in float64, from random cotangents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.mlsys_core.kernels.where import DEVICE, generator

TOLERANCE = {torch.float32: 3e-5, torch.float16: 6e-3, torch.bfloat16: 5e-2}
Function = Callable[..., Any]


def drawn(seed: int, *shapes: tuple[int, ...], dtype: torch.dtype = torch.float32, scale: float = 1.0) -> list[Tensor]:
    """Normal numbers that want gradients, a tensor a shape."""
    draws = generator(seed)
    found = [torch.randn(shape, generator=draws, device=DEVICE) * scale for shape in shapes]
    return [x.to(dtype).requires_grad_() for x in found]


def strided(x: Tensor, seed: int) -> Tensor:
    """The same numbers where rows have gaps between them: a leaf that wants gradients."""
    wide = torch.randn((*x.shape[:-1], x.shape[-1] + 5), generator=generator(seed), device=x.device).to(x.dtype)
    wide[..., 2:-3] = x.detach()
    return wide[..., 2:-3].requires_grad_()


def outputs_and_gradients(function: Function, inputs: list[Tensor], seed: int) -> list[Tensor]:
    """What the function returns, and the gradients of its inputs for cotangents that depend on the seed alone."""
    out = function(*inputs)
    outs = list(out) if isinstance(out, tuple) else [out]
    draws = torch.Generator().manual_seed(seed)
    cotangents = [torch.randn(one.shape, generator=draws).to(one.dtype).to(one.device) for one in outs]
    return [*outs, *torch.autograd.grad(outs, inputs, cotangents)]


def both(ours: Function, theirs: Function, inputs: list[Tensor], seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and gradients of ours in the inputs' type, and of theirs in float64, on the CPU."""
    found = outputs_and_gradients(ours, inputs, seed)
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = outputs_and_gradients(theirs, exact, seed)
    return [x.detach().double().cpu() for x in found], [x.detach().cpu() for x in expected]


def same_twice(function: Function, inputs: list[Tensor], seed: int) -> bool:
    """Whether outputs and gradients of two calls are the same to the bit."""
    first, second = (outputs_and_gradients(function, inputs, seed) for _ in range(2))
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def compiled(function: Function) -> Function:
    """By inductor on a GPU; on a CPU, where the interpreter runs the kernels, traced as a whole and run as it is."""
    backend = "inductor" if DEVICE.type == "cuda" else "aot_eager"
    result: Function = torch.compile(function, backend=backend, fullgraph=True)
    return result
