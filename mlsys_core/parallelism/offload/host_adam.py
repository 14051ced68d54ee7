"""Adam whose states live in the host's memory: gradients come in chunks, new weights go back in chunks, the GPU keeps 2 bytes.

Idea      The optimizer touches each state once a step and multiplies nothing large, so it can run where memory is plenty. While
          one chunk is updated the next one travels.
Equation  m ← m + (1-β₁)(g - m),  v ← β₂ v + (1-β₂) g²,  w ← w - η / (1-β₁^t) · m / (√v / √(1-β₂^t) + ε)
Paper     J. Ren et al., "ZeRO-Offload", USENIX ATC 2021, section 4; D. Kingma, J. Ba, "Adam", ICLR 2015.
Cost      A step moves each gradient out and each weight back, in the model's type; 12 bytes a parameter stay on the host in
          fp32: the weight, which a half-precision model has only rounded, and two moments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class _Held:
    """A weight on its device and its fp32 states on the host, flat."""

    weight: Tensor
    master: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class HostAdam:
    """torch.optim.Adam's rule with its states on the host. Weights may be on any device and of any floating type.

    moved_bytes   what has crossed the link so far, in both directions together
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        chunk: int = 1 << 20,
    ) -> None:
        """`chunk` is the number of elements that travel at a time. Raises ValueError for one that is not positive."""
        if chunk < 1:
            raise ValueError(f"A chunk of {chunk} elements moves nothing: give 1 or more.")
        self.lr, self.betas, self.eps, self.chunk = lr, betas, eps, chunk
        self.steps = self.moved_bytes = 0
        self.held = [self._hold(weight) for weight in parameters]
        longest = max((held.master.numel() for held in self.held), default=0)
        # two buffers of each type, since gradients travel in theirs: one is read while the other is filled
        self.arriving = {
            kind: [_host(torch.zeros(min(chunk, longest), dtype=kind), held=self._on_gpu()) for _ in range(2)]
            for kind in {held.weight.dtype for held in self.held}
        }

    def _on_gpu(self) -> bool:
        return any(held.weight.is_cuda for held in self.held)

    def _hold(self, weight: Tensor) -> _Held:
        master = weight.detach().to("cpu", torch.float32, copy=True).flatten()
        return _Held(weight, _host(master, held=weight.is_cuda), torch.zeros_like(master), torch.zeros_like(master))

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for held in self.held:
            held.weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Updates every weight that has a gradient."""
        self.steps += 1
        chunks = [
            (held, slice(low, low + self.chunk))
            for held in self.held
            if held.weight.grad is not None
            for low in range(0, held.master.numel(), self.chunk)
        ]
        for number, (held, part) in enumerate(chunks):
            if number == 0:
                self._fetch(held, part, 0)
            self._wait()
            if number + 1 < len(chunks):
                self._fetch(*chunks[number + 1], (number + 1) % 2)
            self._update(held, part, number % 2)
            self._return(held, part)
        self._wait()

    def _fetch(self, held: _Held, part: slice, buffer: int) -> None:
        """Starts to copy a chunk of a gradient to the host."""
        assert held.weight.grad is not None
        gradient = held.weight.grad.reshape(-1)[part]
        self.moved_bytes += gradient.numel() * gradient.element_size()
        self.arriving[gradient.dtype][buffer][: gradient.numel()].copy_(gradient, non_blocking=True)

    def _update(self, held: _Held, part: slice, buffer: int) -> None:
        """Adam on the host in fp32, operation for operation as torch orders them."""
        weight, mean, square = held.master[part], held.exp_avg[part], held.exp_avg_sq[part]
        gradient = self.arriving[held.weight.dtype][buffer][: weight.numel()].float()
        mean.lerp_(gradient, 1 - self.betas[0])
        square.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
        first, second = (1 - beta**self.steps for beta in self.betas)
        weight.addcdiv_(mean, (square.sqrt() / second**0.5).add_(self.eps), value=-self.lr / first)

    def _return(self, held: _Held, part: slice) -> None:
        """Starts to copy a chunk of new weights back, rounded to the model's type."""
        target = held.weight.view(-1)[part]
        self.moved_bytes += target.numel() * target.element_size()
        target.copy_(held.master[part], non_blocking=True)

    def _wait(self) -> None:
        if self._on_gpu():
            torch.cuda.current_stream().synchronize()


def _host(tensor: Tensor, *, held: bool) -> Tensor:
    """Memory of the host; pinned where it is held for a GPU, so that copies run beside what the host does."""
    return tensor.pin_memory() if held else tensor
