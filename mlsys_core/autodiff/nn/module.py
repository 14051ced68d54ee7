"""Modules: parameters with names, and functions that own them.

Idea      A model is a tree of modules; its parameters are the leaves that require a gradient, named by their path.
Equation  θ = {path: tensor};  y = module(x; θ)
Paper     A. Paszke et al., "PyTorch: an imperative style, high-performance deep learning library", NeurIPS 2019.
Cost      Nothing at run time: modules only hold parameters and call operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor


class Parameter(Tensor):
    """A leaf that requires a gradient and belongs to a module."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None) -> None:
        super().__init__(data, requires_grad=True, dtype=dtype)


class Module:
    """A part of a model: assign parameters, modules and lists of modules as attributes, and define `forward`."""

    training: bool = True

    def __call__(self, *inputs: Any) -> Tensor:
        return self.forward(*inputs)

    def forward(self, *inputs: Any) -> Tensor:
        """The output for these inputs; each module defines its own."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes: define forward.")

    def children(self) -> Iterator[tuple[str, Module]]:
        """Modules directly inside this one with their names; those in a list are named by position."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value) if isinstance(item, Module))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted path; one that is used in two places appears under each."""
        yield from ((name, value) for name, value in vars(self).items() if isinstance(value, Parameter))
        for prefix, child in self.children():
            yield from ((f"{prefix}.{name}", parameter) for name, parameter in child.named_parameters())

    def parameters(self) -> list[Parameter]:
        """Every parameter once."""
        return list(dict.fromkeys(parameter for _, parameter in self.named_parameters()))

    def train(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - as in torch
        """Switches dropout on, or off with on=False, here and below."""
        self.training = on
        for _, child in self.children():
            child.train(on)

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters by path."""
        return {name: parameter.data.copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies values into the parameters; names and shapes must be the same, types are converted."""
        mine = dict(self.named_parameters())
        if mine.keys() != state.keys():
            raise KeyError(f"These names are on one side only: {sorted(mine.keys() ^ state.keys())}.")
        for name, parameter in mine.items():
            value = np.asarray(state[name], dtype=parameter.dtype)
            if value.shape != parameter.shape:
                raise ValueError(f"{name} has shape {parameter.shape}, and the value given has {value.shape}.")
            parameter.data[...] = value
