"""What each method does with a block: move scales between its layers, and replace each layer.

Idea      All methods have two steps, of which some leave out one. The first changes weights and not what the block computes; it looks at
          the block as it is. The second replaces a layer, and looks at what the layer gets once those before it are replaced.
Equation  None.
Paper     The methods' own: `rtn`, `gptq`, `awq`, `smoothquant`.
Cost      The methods' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.awq import GRID, search_scale
from mlsys_core.compression.calibration import Statistics
from mlsys_core.compression.folding import AFTER_NORMS, AFTER_UP, fold
from mlsys_core.compression.gptq import gptq
from mlsys_core.compression.rtn import Per, Quantized, Scheme, quantize
from mlsys_core.compression.smoothquant import W8A8Linear, smooth_scale


class QuantizedLinear(nn.Module):
    """A linear layer whose weights are codes; they become numbers again when it runs. `nbytes` is what they take, packed."""

    codes: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, quantized: Quantized) -> None:
        super().__init__()
        self.scheme, self.nbytes = quantized.scheme, quantized.nbytes
        for name in ("codes", "scale", "zero"):
            self.register_buffer(name, getattr(quantized, name))

    @property
    def quantized(self) -> Quantized:
        """The codes with their scales, as they are now."""
        return Quantized(self.codes, self.scale, self.zero, self.scheme)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., k) -> (..., n)."""
        return F.linear(x, self.quantized.dequantize())


Seen = Mapping[str, Statistics]


class Method(Protocol):
    """Statistics are missing where a method says that it looks at none."""

    @property
    def rescales(self) -> bool:
        """Whether `rescale` does anything."""

    @property
    def calibrates(self) -> bool:
        """Whether `replace` looks at what the layer gets."""

    def rescale(self, block: nn.Module, seen: Seen) -> None:
        """Changes the block's weights and not its function; `seen` by the name of the first of the linear layers that share an input."""

    def replace(self, linear: nn.Linear, seen: Statistics | None, /) -> nn.Module:
        """What stands in for a layer."""


@dataclass(frozen=True)
class RTN:
    """Round to nearest."""

    scheme: Scheme = field(default_factory=Scheme)
    rescales: bool = field(default=False, init=False)
    calibrates: bool = field(default=False, init=False)

    def rescale(self, block: nn.Module, seen: Seen) -> None:
        """Nothing."""

    def replace(self, linear: nn.Linear, _: Statistics | None, /) -> nn.Module:
        """The nearest codes."""
        return QuantizedLinear(quantize(linear.weight.detach(), self.scheme))


@dataclass(frozen=True)
class GPTQ:
    """Columns in turn, errors made good by those that follow; arguments as in `gptq`."""

    scheme: Scheme = field(default_factory=Scheme)
    block: int = 128
    damping: float = 0.01
    act_order: bool = False
    rescales: bool = field(default=False, init=False)
    calibrates: bool = field(default=True, init=False)

    def rescale(self, block: nn.Module, seen: Seen) -> None:
        """Nothing."""

    def replace(self, linear: nn.Linear, seen: Statistics | None, /) -> nn.Module:
        """Codes by the inputs' second moments."""
        if seen is None:
            raise ValueError("GPTQ rounds by what a layer sees: give statistics of its inputs.")
        found = gptq(
            linear.weight.detach(),
            seen.hessian,
            self.scheme,
            block=self.block,
            damping=self.damping,
            act_order=self.act_order,
        )
        return QuantizedLinear(found)


@dataclass(frozen=True)
class AWQ:
    """Scales into the weights by a grid of powers, then the nearest codes. The scale before o_proj is left as it is: query heads share
    a head of values, which has one scale and not two."""

    scheme: Scheme = field(default_factory=Scheme)
    grid: int = GRID
    rescales: bool = field(default=True, init=False)
    calibrates: bool = field(default=False, init=False)

    def rescale(self, block: nn.Module, seen: Seen) -> None:
        """Folds the best scale into each layer before and the ones that read it. down_proj goes first, as seen before up_proj changes."""
        for before, names in (*AFTER_UP, *AFTER_NORMS):
            linears = [block.get_submodule(name) for name in names]
            found = search_scale([linear.weight.detach() for linear in linears], seen[names[0]], self.scheme, self.grid)
            fold(block.get_submodule(before), linears, found.scale)

    def replace(self, linear: nn.Linear, _: Statistics | None, /) -> nn.Module:
        """The nearest codes."""
        return QuantizedLinear(quantize(linear.weight.detach(), self.scheme))


@dataclass(frozen=True)
class W8A8:
    """Weights and activations in int8; `alpha` is how much of the outliers SmoothQuant moves, None for not at all."""

    alpha: float | None = 0.5
    weights: Per = "channel"
    activations: Per = "channel"
    calibrates: Literal[False] = field(default=False, init=False)

    @property
    def rescales(self) -> bool:
        """Only SmoothQuant does."""
        return self.alpha is not None

    def rescale(self, block: nn.Module, seen: Seen) -> None:
        """Moves sizes from what the normalisations give into the layers that read it."""
        if self.alpha is None:
            return
        for before, names in AFTER_NORMS:
            linears = [block.get_submodule(name) for name in names]
            weights = [linear.weight.detach() for linear in linears]
            fold(block.get_submodule(before), linears, smooth_scale(seen[names[0]].peak, weights, self.alpha))

    def replace(self, linear: nn.Linear, _: Statistics | None, /) -> nn.Module:
        """A layer in integers."""
        return W8A8Linear(linear, weights=self.weights, activations=self.activations)
