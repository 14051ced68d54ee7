"""Parameters laid end to end in one buffer, which is cut evenly among ranks.

Idea      Collectives are fastest on few large tensors, and a shard that may begin inside a parameter needs no parameter to be
          divisible. Each parameter becomes a view of the buffer; the buffer can be let go and filled again under the views.
Equation  padded = ⌈Ψ / N⌉ · N;   shard r = buffer[r · padded / N : (r + 1) · padded / N]
Paper     S. Rajbhandari et al., "ZeRO", SC 2020, section 5; Y. Zhao et al., "PyTorch FSDP", VLDB 2023, section 3.2 (FlatParameter).
Cost      At most N - 1 elements of padding a buffer.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class FlatParameters:
    """Parameters by name as views of `whole` (padded,), of one dtype; `exact` has their values before they were rounded to it."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], ranks: int, dtype: torch.dtype) -> None:
        self.parameters, self.ranks = dict(parameters), ranks
        self.sizes = [parameter.numel() for parameter in self.parameters.values()]
        self.numel = sum(self.sizes)
        self.padded = -(-self.numel // ranks) * ranks
        self.exact: Tensor | None = torch.zeros(self.padded)
        for name, view in self.split(self.exact).items():
            view.copy_(self.parameters[name].detach())
        self.whole = self.exact.to(dtype)
        for name, view in self.split(self.whole).items():
            # a parameter keeps its own version counter, so filling the buffer again does not upset graphs that saved it
            self.parameters[name].data = view

    def split(self, buffer: Tensor) -> dict[str, Tensor]:
        """Views of a buffer (padded,) in the parameters' shapes, by name."""
        parts = buffer[: self.numel].split(self.sizes)
        return {name: part.view(p.shape) for (name, p), part in zip(self.parameters.items(), parts, strict=True)}

    def shard(self, buffer: Tensor, rank: int) -> Tensor:
        """A rank's part of a buffer (padded,), as a view."""
        return buffer.view(self.ranks, -1)[rank]

    @property
    def there(self) -> bool:
        """Whether the buffer has its memory."""
        return self.whole.untyped_storage().nbytes() > 0 or not self.padded

    def free(self) -> None:
        """Gives the buffer's memory back. The parameters must not be used until it is filled again."""
        self.whole.untyped_storage().resize_(0)

    def allocate(self) -> None:
        """Takes memory for the buffer; what is in it is undefined."""
        self.whole.untyped_storage().resize_(self.padded * self.whole.element_size())

    def use_gradients(self, buffer: Tensor) -> None:
        """Makes the parameters' gradients views of a buffer (padded,), in which autograd then adds up."""
        for name, view in self.split(buffer).items():
            self.parameters[name].grad = view

    def take_gradients(self) -> Tensor:
        """The parameters' gradients in a new buffer (padded,), zero where there is none; the parameters lose theirs."""
        buffer = torch.zeros(self.padded, dtype=self.whole.dtype)
        for name, view in self.split(buffer).items():
            parameter = self.parameters[name]
            if parameter.grad is not None:
                view.copy_(parameter.grad)
                parameter.grad = None
        return buffer
