"""Modules whose parameters come and go together, and the hooks that follow them through forward and backward.

Idea      A unit's buffers are filled before its first module runs and let go after its last; in the backward they are filled when
          the gradient of an output comes, and let go when those of all its parameters and inputs have been made.
Equation  peak of gathered parameters = one unit, or two where the next is gathered while this one computes
Paper     Y. Zhao et al., "PyTorch FSDP: experiences on scaling fully sharded data parallel", VLDB 2023, sections 3.2 and 3.3.
Cost      An all-gather a unit in the forward and one in the backward, a reduce-scatter in the backward.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator, Work
from mlsys_core.parallelism.zero.sharded import Sharded


class Unit:
    """Modules in the order in which they run, and their buffers: the trainable and the frozen parameters have one each."""

    def __init__(
        self, modules: Sequence[nn.Module], groups: Sequence[Sharded], comm: Communicator, *, overlap: bool
    ) -> None:
        self.modules, self.groups, self.comm, self.overlap = list(modules), list(groups), comm, overlap
        self.in_use = False
        self.coming: Work | None = None
        self.reducing: list[Work] = []
        self.waiting: set[Hashable] = set()
        self.expect()

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """Parameters that get gradients."""
        return {name: p for g in self.groups if g.trainable for name, p in g.flat.parameters.items()}

    def expect(self) -> None:
        """A new backward: every trainable parameter's gradient is still to come."""
        self.waiting = set(self.trainable)

    def start_gather(self) -> None:
        """Begins to fill the buffers, if they are empty."""
        if all(group.flat.there for group in self.groups):
            return
        for group in self.groups:
            group.flat.allocate()
        if self.overlap:
            self.coming = self.comm.start(self._gather)
        else:
            self._gather()

    def need(self) -> None:
        """Returns once the parameters are whole."""
        self.in_use = True
        self.start_gather()
        if self.coming is not None:
            self.coming.wait()
            self.coming = None

    def free(self) -> None:
        """Lets the whole parameters go."""
        self.in_use = False
        if self.coming is not None:
            self.coming.wait()
            self.coming = None
        for group in self.groups:
            group.flat.free()

    def reduce(self) -> None:
        """Takes the gradients off the parameters and averages them into the shards."""
        buffers = [(group, group.flat.take_gradients()) for group in self.groups if group.trainable]

        def transfer() -> None:
            for group, buffer in buffers:
                group.reduce(buffer)

        if self.overlap:
            self.reducing.append(self.comm.start(transfer))
        else:
            transfer()

    def settle(self) -> None:
        """Reduces what a backward left (where a parameter was not used), and waits for what is under way."""
        if any(parameter.grad is not None for parameter in self.trainable.values()):
            self.reduce()
        for work in self.reducing:
            work.wait()
        self.reducing = []
        self.expect()

    def _gather(self) -> None:
        for group in self.groups:
            group.gather()


class Hooks:
    """Follows the units of stage 2 or 3 through forward and backward.

    With `ahead`, the unit that came next the time before is gathered early; the first step finds the order.
    """

    def __init__(self, units: Sequence[Unit], stage: int, *, ahead: bool) -> None:
        self.units, self.stage, self.ahead = list(units), stage, ahead
        self.next: dict[tuple[str, int], int] = {}
        self.last: tuple[str, int] | None = None
        for number, unit in enumerate(self.units):
            for name, parameter in unit.trainable.items():
                parameter.register_post_accumulate_grad_hook(partial(self._came, number, name))
            if stage == 3:
                for module in unit.modules:
                    module.register_forward_pre_hook(partial(self._before, number))
                    module.register_forward_hook(partial(self._after, number))

    def _before(self, number: int, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        unit = self.units[number]
        self._need("forward", number)
        if module is unit.modules[0]:
            unit.expect()
        for place, x in enumerate(arguments):
            if isinstance(x, Tensor) and x.requires_grad and torch.is_grad_enabled():
                # frozen weights are needed until the gradient of the unit's input is there
                unit.waiting.add((id(module), place))
                x.register_hook(partial(self._came, number, (id(module), place)))

    def _after(self, number: int, module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> None:
        unit = self.units[number]
        if output.requires_grad:
            output.register_hook(lambda _gradient: self._need("backward", number))
        if module is unit.modules[-1]:
            unit.free()

    def _came(self, number: int, what: Hashable, _tensor: Tensor) -> None:
        """The gradient of a parameter, or of an input, is there."""
        unit = self.units[number]
        unit.waiting.discard(what)
        if unit.waiting:
            return
        unit.reduce()
        if self.stage == 3:
            unit.free()
        else:
            unit.expect()

    def _need(self, phase: str, number: int) -> None:
        if self.units[number].in_use:
            return
        self.units[number].need()
        if self.last is not None and self.last[0] == phase:
            self.next[self.last] = number
        self.last = (phase, number)
        if self.ahead and (phase, number) in self.next:
            self.units[self.next[phase, number]].start_gather()

    def forget(self) -> None:
        """The next forward begins anew: what came last in this step says nothing about it."""
        self.last = None
