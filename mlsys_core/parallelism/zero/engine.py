"""Training with states, gradients and parameters cut among data-parallel ranks.

Idea      The model is cut into units (a block each). Hooks follow the forward and the backward: in stage 3 a unit's parameters are
          gathered before it runs and freed after, and from stage 2 on its gradients are reduced to shards as soon as they are there.
Equation  θ_r ← Adam(θ_r, mean over ranks of g, part r) on each rank r;   the global norm² is the sum of the shards'
Paper     S. Rajbhandari et al., "ZeRO", SC 2020; Y. Zhao et al., "PyTorch FSDP", VLDB 2023.
Cost      `cost.memory_cost` and `cost.volume_cost`; in stage 3 one unit more while it runs (two with overlap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.collectives import all_reduce
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.zero.flat import FlatParameters
from mlsys_core.parallelism.zero.sharded import Sharded
from mlsys_core.parallelism.zero.unit import Hooks, Unit
from mlsys_core.workloads.gpt import GPT

MakeOptimizer = Callable[[list[Tensor]], torch.optim.Optimizer]


class Zero:
    """Wraps a model in place. Then, on each rank's part of the batch: `loss.backward()`, `zero.step()`.

    stage      0 nothing is cut, 1 the optimizer's states, 2 gradients too, 3 parameters too
    optimizer  makes an optimizer that treats each element alone, as SGD and Adam do, from tensors of shards
    dtype      of the working copies; with 16 bits the optimizer gets float32 copies of the shards
    units      lists of modules whose parameters are gathered together; parameters that are tied belong to one unit
    max_norm   clips the norm of all gradients together
    overlap    gathers the next unit, and reduces gradients, beside the computation
    """

    def __init__(
        self,
        model: nn.Module,
        comm: Communicator,
        stage: int,
        optimizer: MakeOptimizer,
        *,
        units: Sequence[Sequence[nn.Module]],
        dtype: torch.dtype = torch.float32,
        max_norm: float | None = None,
        overlap: bool = False,
    ) -> None:
        if stage not in {0, 1, 2, 3}:
            raise ValueError(f"There is no stage {stage}: give 0, 1, 2 or 3.")
        self.comm, self.stage, self.max_norm = comm, stage, max_norm
        self.units = [
            Unit(modules, [Sharded(flat, comm, stage, trainable=on) for on, flat in flats], comm, overlap=overlap)
            for modules, flats in _flats(model, units, comm.size, dtype)
        ]
        self.groups = [group for unit in self.units for group in unit.groups]
        self.trained = [group for group in self.groups if group.trainable]
        self.optimizer = optimizer([group.master for group in self.trained])
        self.hooks = Hooks(self.units, stage, ahead=overlap) if stage > 1 else None
        self.reduced = False

    def step(self) -> float | None:
        """Reduces, clips, steps each shard and hands the new parameters round; gradients are zero after it.

        Returns the norm of all gradients before clipping, where there is a limit. In 16 bits the shards' gradients exist in
        float32 during the step.
        """
        self.reduce()
        norm = None if self.max_norm is None else self._clip(self.max_norm)
        for group in self.trained:
            group.master.grad = None if group.gradient is None else group.gradient.to(group.master.dtype)
        self.optimizer.step()
        for group in self.trained:
            group.master.grad = None
            group.publish()
        self.reduced = False
        return norm

    def reduce(self) -> None:
        """Averages what is not yet averaged of the gradients, and lets all gathered parameters go. Then comes the step."""
        if self.reduced:
            return
        self.reduced = True
        for unit in self.units:
            if self.hooks is not None:
                unit.settle()
            if self.stage == 3:
                unit.free()
        for group in self.trained:
            if group.whole_gradient is not None:
                group.reduce(group.whole_gradient)
        if self.hooks is not None:
            self.hooks.forget()

    def gradients(self) -> dict[str, Tensor]:
        """The averaged gradients, whole and in float32, on every rank; between backward and step."""
        self.reduce()
        return {
            name: value
            for group in self.trained
            if group.gradient is not None
            for name, value in group.assemble(group.gradient).items()
        }

    def weights(self) -> dict[str, Tensor]:
        """The parameters, whole and in float32, on every rank: of trainable ones the master's numbers."""
        return {name: value for group in self.groups for name, value in group.assemble(group.master).items()}

    def _clip(self, max_norm: float) -> float:
        gradients = [group.gradient for group in self.trained if group.gradient is not None]
        square = torch.stack([gradient.float().square().sum() for gradient in gradients]).sum()
        if self.stage:
            with self.comm.label("norm"):
                all_reduce(square, self.comm)
        norm = float(square.sqrt())
        for gradient in gradients:
            gradient.mul_(min(1.0, max_norm / (norm + 1e-6)))
        return norm


def gpt_units(model: GPT) -> list[list[nn.Module]]:
    """The embedding, each block, and the norm with the head; where embedding and head are tied, these three are one unit."""
    blocks: list[list[nn.Module]] = [[block] for block in model.blocks]
    if model.config.tie_embeddings:
        return [[model.embed, model.norm, model.head], *blocks]
    return [[model.embed], *blocks, [model.norm, model.head]]


_Flats = list[tuple[bool, FlatParameters]]  # trainable or not


def _flats(
    model: nn.Module, units: Sequence[Sequence[nn.Module]], ranks: int, dtype: torch.dtype
) -> Iterator[tuple[Sequence[nn.Module], _Flats]]:
    """Each unit with its flat buffers. Raises ValueError unless each parameter is in exactly one unit."""
    members = [{id(p) for module in modules for p in module.parameters()} for modules in units]
    named = dict(model.named_parameters())
    for name, parameter in named.items():
        if (times := sum(id(parameter) in ids for ids in members)) != 1:
            raise ValueError(
                f"{name} is in {times} units: put it into one; modules that share a parameter belong together."
            )
    for modules, ids in zip(units, members, strict=True):
        own = {name: p for name, p in named.items() if id(p) in ids}
        kinds = [(on, {name: p for name, p in own.items() if p.requires_grad is on}) for on in (True, False)]
        yield modules, [(on, FlatParameters(those, ranks, dtype)) for on, those in kinds if those]
