"""What a layer sees: the statistics of its inputs on a little text, collected by hooks.

Idea      Which error of a weight matters depends on what it is multiplied with. A few thousand tokens say that, and all that the methods
          here ask of them is a matrix of second moments and two numbers a channel; the inputs themselves need not be kept.
Equation  H = 2/t Σ x xᵀ;   mean over inputs of ‖(W - Ŵ) x‖² = tr((W - Ŵ) H (W - Ŵ)ᵀ) / 2;   mean |x_j|, max |x_j|
Paper     B. Hassibi, D. Stork, "Second order derivatives for network pruning: optimal brain surgeon", NeurIPS 1992; E. Frantar et al.,
          "GPTQ", ICLR 2023, equation 1 (the layer's problem).
Cost      2 t k² FLOPs and k² numbers for t inputs of k channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# the linear layers of a block in the order in which they run; those in a line read the same input
STAGES = (
    ("attn.q_proj", "attn.k_proj", "attn.v_proj"),
    ("attn.o_proj",),
    ("ffn.gate_proj", "ffn.up_proj"),
    ("ffn.down_proj",),
)
LINEARS = tuple(name for stage in STAGES for name in stage)
FIRSTS = tuple(stage[0] for stage in STAGES)


class Statistics:
    """Of inputs with k channels, in float64: `count` of them, `mean_abs` and `peak` (k,), and `hessian` (k, k)."""

    def __init__(self, channels: int, device: torch.device | str = "cpu") -> None:
        self.count = 0
        self.peak = torch.zeros(channels, dtype=torch.float64, device=device)
        self._total = torch.zeros_like(self.peak)
        self._gram = torch.zeros((channels, channels), dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, x: Tensor) -> None:
        """Takes in inputs (..., k)."""
        rows = x.reshape(-1, len(self.peak)).to(self.peak)
        if not len(rows):
            return
        self.count += len(rows)
        self.peak = torch.maximum(self.peak, rows.abs().amax(0))
        self._total += rows.abs().sum(0)
        self._gram += rows.T @ rows

    @property
    def mean_abs(self) -> Tensor:
        """Mean |x_j| (k,)."""
        return self._total / self._counted()

    @property
    def hessian(self) -> Tensor:
        """2/t Σ x xᵀ (k, k): the second derivative of the layer's mean squared error by any row of its weights."""
        return 2 * self._gram / self._counted()

    def _counted(self) -> int:
        if not self.count:
            raise ValueError("The layer has seen no input: run the model on some text while it is watched.")
        return self.count


def layer_error(w: Tensor, rounded: Tensor, hessian: Tensor) -> float:
    """Mean of ‖(w - rounded) x‖² over the inputs of `hessian`, for matrices (n, k)."""
    apart = (w - rounded).to(hessian)
    return float(((apart @ hessian) * apart).sum()) / 2


@contextmanager
def watching(module: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Statistics]]:
    """Statistics of the inputs of the layers `names` of a module that run inside of the `with`, by name once they have run."""
    seen: dict[str, Statistics] = {}
    hooks = [module.get_submodule(name).register_forward_pre_hook(_adder(seen, name)) for name in names]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _adder(seen: dict[str, Statistics], name: str) -> Any:
    def add(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        x = arguments[0]
        if name not in seen:
            seen[name] = Statistics(x.shape[-1], x.device)
        seen[name].add(x)

    return add


class _ReachedError(Exception):
    """The last layer that was asked about has got its input; nothing after it need run."""


@torch.no_grad()
def inputs_of(block: nn.Module, names: Sequence[str], x: Tensor, positions: Tensor) -> dict[str, Statistics]:
    """Statistics of layers of a block that gets x (B, T, dim); it runs as far as the last of `names`, which are in their order."""

    def stop(*_: Any) -> None:
        raise _ReachedError

    with watching(block, names) as seen:
        hook = block.get_submodule(names[-1]).register_forward_pre_hook(stop)
        try:
            block(x, positions)
        except _ReachedError:
            pass
        finally:
            hook.remove()
    return seen
