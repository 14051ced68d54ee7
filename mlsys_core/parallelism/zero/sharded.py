"""What one rank keeps of a flat buffer in each stage of ZeRO, and the collectives that make it whole.

Idea      Data-parallel ranks hold the same states, gradients and parameters. Stage 1 cuts the optimizer's states among them,
          stage 2 the gradients too, stage 3 the parameters too; what a rank lacks it gets when it is needed.
Equation  gradients: all-reduce (0), reduce-scatter (1, 2, 3);   parameters: all-gather after the step (1, 2), before each use (3)
Paper     S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models", SC 2020, sections 5, 7.
Cost      See `cost`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import all_gather_into_tensor, all_reduce, reduce_scatter_tensor
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.zero.flat import FlatParameters


class Sharded:
    """A flat buffer on one rank.

    kept      this rank's part of the working parameters; the whole buffer in stage 0
    master    the same numbers in float32, which the optimizer steps: `kept` itself where that is float32
    gradient  what the step uses, of the size of `kept` (a view of a whole buffer in stage 1); None where frozen
    """

    def __init__(self, flat: FlatParameters, comm: Communicator, stage: int, *, trainable: bool) -> None:
        self.flat, self.comm, self.stage, self.trainable = flat, comm, stage, trainable
        kept = self._own(flat.whole)
        self.kept = kept.clone() if stage == 3 else kept
        self.master = self.kept
        if kept.dtype != torch.float32 and trainable and flat.exact is not None:
            self.master = self._own(flat.exact).clone()
        flat.exact = None  # a whole float32 copy is what must not stay
        self.whole_gradient = torch.zeros_like(flat.whole) if trainable and stage < 2 else None
        self.gradient: Tensor | None = None
        if self.whole_gradient is not None:
            flat.use_gradients(self.whole_gradient)
            self.gradient = self._own(self.whole_gradient)
        elif trainable:
            self.gradient = torch.zeros_like(self.kept)
        if stage == 3:
            flat.free()

    def gather(self) -> None:
        """Fills the buffer from every rank's part. The memory must be there."""
        if self.stage:
            with self.comm.label("gather"):
                all_gather_into_tensor(self.flat.whole, self.kept, self.comm)

    def reduce(self, buffer: Tensor) -> None:
        """Averages a buffer of gradients over ranks. Divides first: in 16 bits a sum may not fit where the mean does."""
        buffer.div_(self.comm.size)
        with self.comm.label("reduce"):
            if self.stage == 0:
                all_reduce(buffer, self.comm)
            elif self.stage == 1:
                reduce_scatter_tensor(self._own(buffer), buffer, self.comm)
            elif self.gradient is not None:
                part = torch.empty_like(self.gradient)
                self.gradient.add_(reduce_scatter_tensor(part, buffer, self.comm))

    def publish(self) -> None:
        """After the step: the working copy takes the master's numbers, and ranks that hold it whole get all of it."""
        if self.kept is not self.master:
            self.kept.copy_(self.master)
        if self.stage in {1, 2}:
            self.gather()
        gradients = self.gradient if self.whole_gradient is None else self.whole_gradient
        if gradients is not None:
            gradients.zero_()

    def assemble(self, part: Tensor) -> dict[str, Tensor]:
        """Whole tensors in float32 by name, from every rank's `part`, which is like `kept`."""
        if not self.stage:
            return self.flat.split(part.to(torch.float32, copy=True))
        if self.stage < 3 and part is self.kept and not self.trainable:
            return self.flat.split(self.flat.whole.to(torch.float32, copy=True))
        whole = torch.empty(self.flat.padded)
        return self.flat.split(all_gather_into_tensor(whole, part.to(torch.float32), self.comm))

    def _own(self, buffer: Tensor) -> Tensor:
        return self.flat.shard(buffer, self.comm.rank) if self.stage else buffer
