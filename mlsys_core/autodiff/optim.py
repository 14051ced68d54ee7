"""Optimisers: how parameters follow their gradients.

Idea      Momentum averages gradients over time; Adam divides that average by the root of the average square, so that each
          parameter moves at its own pace; AdamW shrinks weights apart from the gradient.
Equation  SGD:   v ← μ v + g,  θ ← θ - η v
          Adam:  m ← β₁ m + (1-β₁) g,  s ← β₂ s + (1-β₂) g²,  θ ← θ - η m̂ / (√ŝ + ε),  m̂ = m/(1-β₁ᵗ), ŝ = s/(1-β₂ᵗ)
          AdamW: θ ← (1 - ηλ) θ first, with no λθ in g
Paper     B. Polyak, 1964; D. Kingma, J. Ba, "Adam", ICLR 2015; I. Loshchilov, F. Hutter, "Decoupled weight decay
          regularization", ICLR 2019.
Cost      State of one array a parameter for momentum, two for Adam: 8 bytes a float32 parameter beside 4 of gradient.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

import numpy as np

from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor


class Optimizer:
    """Steps parameters in place by their `.grad`; parameters without one stay."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = list(parameters)
        self.lr = lr

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Moves every parameter once."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.update(i, parameter.data, parameter.grad.data)

    def update(self, i: int, value: Array, gradient: Array) -> None:
        """Moves parameter number i, an array, in place."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a parameter moves: define update.")


class SGD(Optimizer):
    """Gradient descent with momentum and weight decay as a part of the gradient."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, *, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._velocity: dict[int, Array] = {}

    def update(self, i: int, value: Array, gradient: Array) -> None:
        """v ← μ v + g, θ ← θ - η v; the first velocity is the first gradient."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        if self.momentum:
            velocity = self._velocity.get(i)
            self._velocity[i] = gradient.copy() if velocity is None else self.momentum * velocity + gradient
            gradient = self._velocity[i]
        value -= self.lr * gradient


class Adam(Optimizer):
    """Adam with bias correction; weight decay, if any, is a part of the gradient (L2)."""

    decoupled = False

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self._moments: dict[int, tuple[Array, Array]] = {}
        self._steps: dict[int, int] = {}

    def update(self, i: int, value: Array, gradient: Array) -> None:
        """One step of parameter i; each counts its own steps, so one that joins late is corrected rightly."""
        if self.weight_decay and self.decoupled:
            value *= 1 - self.lr * self.weight_decay
        elif self.weight_decay:
            gradient = gradient + self.weight_decay * value
        mean, square = self._moments.setdefault(i, (np.zeros_like(value), np.zeros_like(value)))
        step = self._steps[i] = self._steps.get(i, 0) + 1
        first, second = self.betas
        mean *= first
        mean += (1 - first) * gradient
        square *= second
        square += (1 - second) * gradient * gradient
        scale = np.sqrt(square)
        scale /= sqrt(1 - second**step)
        scale += self.eps
        value -= self.lr / (1 - first**step) * mean / scale


class AdamW(Adam):
    """Adam whose weight decay shrinks weights directly."""

    decoupled = True


def clip_grad_norm(parameters: Iterable[Tensor], limit: float) -> float:
    """Scales all gradients together so that their joint 2-norm is at most limit, and gives the norm before.

    A norm that is not finite leaves gradients that are not: look at the result before you step.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = sqrt(sum(float(np.vdot(g.data, g.data)) for g in gradients))
    # a norm that is not a number makes all gradients so, as in torch: a step by half of them would go unnoticed
    if not norm <= limit:
        for gradient in gradients:
            gradient.data *= limit / (norm + 1e-6)
    return norm
