"""A backward in two parts: the gradient of the input now, those of the weights later.

Idea      The stage before waits for the gradient of the input only. While F.linear runs inside `DeferWeights`, its backward gives that
          gradient and puts the product for its weight on a list, to be worked off when the rank would be idle.
Equation  y = x Wᵀ:   x̄ = ȳ W now;   W̄ = ȳᵀ x later
Paper     P. Qi et al., "Zero bubble pipeline parallelism", ICLR 2024 (arXiv 2401.10241), section 2.
Cost      Each half is as many FLOPs as the forward; x and ȳ are kept until the second half.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name
from torch.overrides import TorchFunctionMode


class WeightProduct(NamedTuple):
    """What the gradient of a weight (O, I) will be made of: x (…, I) and the gradient (…, O) of x Wᵀ."""

    weight: Tensor
    x: Tensor
    gradient: Tensor

    def add(self) -> None:
        """Multiplies, and adds the result to the weight's gradient."""
        part = self.gradient.flatten(0, -2).T @ self.x.flatten(0, -2)
        self.weight.grad = part if self.weight.grad is None else self.weight.grad.add_(part)


class DeferWeights(TorchFunctionMode):
    """Linear layers inside leave the gradients of their weights on `todo` when their backward runs.

    Other parameters (of norms, of embeddings) get theirs at once: they are small.
    """

    def __init__(self, todo: list[WeightProduct]) -> None:
        super().__init__()
        self.todo = todo

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None
    ) -> Any:
        """Replaces F.linear without a bias; everything else is as it was."""
        if function is F.linear and arguments[2:] in {(), (None,)} and arguments[1].requires_grad:
            return _Linear.apply(*arguments[:2], self.todo)
        return function(*arguments, **(keywords or {}))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, todo: list[WeightProduct]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.weight, ctx.todo = weight, todo  # the parameter itself, which will get the gradient
        return x @ weight.T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        ctx.todo.append(WeightProduct(ctx.weight, x, gradients[0]))
        return gradients[0] @ ctx.weight, None, None
