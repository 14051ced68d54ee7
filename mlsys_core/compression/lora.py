"""LoRA: a trained layer stays as it is, and a product of two thin matrices beside it learns.

Idea      What a model must change for a new task, or to get over a damage, has low rank. So the weights are frozen, and W + (α / r) B A is
          used, A and B thin. B starts at zero, so the model starts as what it was. Gradients and optimizer states exist for A and B alone;
          for serving the product is added to the weight once and costs nothing.
Equation  y = W x + (α / r) B A x,  A (r, k), B (n, r), B = 0 at first;  merged: W' = W + (α / r) B A
Paper     E. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022, section 4.1, and 4.2 on what it saves.
Cost      `lora_parameters`: r (n + k) parameters that learn in place of n k, with 16 bytes each under Adam where the others have 2 or 4.

    add_lora(model, rank=8, alpha=16)           # every Linear of the blocks; or targets=("q_proj", "v_proj")
    train(model, codes, config)                 # A and B learn, and nothing else
    merge_lora(model)                           # plain layers again
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoRALinear(nn.Module):
    """A frozen layer x (…, k) -> (…, n) and its adapter. `base` is an `nn.Linear`, or another layer with `in_features` and `out_features`.

    lora_A     (r, k), uniform within ±1 / √k, as torch draws a Linear's weights
    lora_B     (n, r), zeros
    merged     whether the weight of the base has the product in it now
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float, *, dropout: float = 0.0, seed: int = 0) -> None:
        """Freezes `base`. Raises ValueError for a rank below 1."""
        super().__init__()
        if rank < 1:
            raise ValueError(f"An adapter of rank {rank} has no weights: give a rank of at least 1.")
        base.requires_grad_(requires_grad=False)
        n, k = int(base.out_features), int(base.in_features)
        device = next(iter((*base.parameters(), *base.buffers()))).device
        dtype = next((p.dtype for p in base.parameters()), torch.get_default_dtype())
        draws = torch.Generator().manual_seed(seed)
        start = torch.empty(rank, k).uniform_(-1 / math.sqrt(k), 1 / math.sqrt(k), generator=draws)
        self.base, self.scaling, self.merged = base, alpha / rank, False
        self.lora_A = nn.Parameter(start.to(device, dtype))
        self.lora_B = nn.Parameter(torch.zeros(n, rank, device=device, dtype=dtype))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """The base, and the adapter unless it is merged."""
        out: Tensor = self.base(x)
        return out if self.merged else out + self.dropout(x) @ self.lora_A.T @ self.lora_B.T * self.scaling

    def delta(self) -> Tensor:
        """(α / r) B A, (n, k)."""
        return self.lora_B @ self.lora_A * self.scaling

    @torch.no_grad()
    def merge(self) -> None:
        """Adds the product to the base's weight. Once is enough: a second call does nothing."""
        if not self.merged:
            self._weight().add_(self.delta())
            self.merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Takes it out again, up to the rounding of one sum and one difference."""
        if self.merged:
            self._weight().sub_(self.delta())
            self.merged = False

    def _weight(self) -> Tensor:
        if not isinstance(self.base, nn.Linear):
            raise TypeError(
                f"A {type(self.base).__name__} has no weight to add to: make it an nn.Linear first, or leave the adapter beside it."
            )
        return self.base.weight


def add_lora(
    model: nn.Module,
    rank: int = 8,
    alpha: float = 16.0,
    *,
    targets: Sequence[str] = TARGETS,
    dropout: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Freezes the model and puts adapters on its layers whose last name is among `targets`; gives the names of these.

    Raises ValueError where no layer has such a name.
    """
    names = linear_names(model, targets)
    if not names:
        raise ValueError(
            f"No layer of the model is called {', '.join(targets)}: give the last names of its Linear layers."
        )
    model.requires_grad_(requires_grad=False)
    for i, name in enumerate(names):
        base = model.get_submodule(name)
        model.set_submodule(name, LoRALinear(base, rank, alpha, dropout=dropout, seed=seed * 1_000_003 + i))
    return names


def linear_names(model: nn.Module, targets: Sequence[str] = TARGETS) -> list[str]:
    """Full names of the layers, Linear or made from one, whose last name is among `targets`."""
    return [
        name
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in targets and hasattr(module, "in_features")
    ]


def merge_lora(model: nn.Module) -> None:
    """Merges every adapter and puts the plain layer in its place. Layers stay frozen."""
    for name, layer in [(n, m) for n, m in model.named_modules() if isinstance(m, LoRALinear)]:
        layer.merge()
        model.set_submodule(name, layer.base)


def lora_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """A and B of every adapter, by their names: all that has to be kept for a task."""
    return {name: value for name, value in model.state_dict().items() if name.endswith((".lora_A", ".lora_B"))}


def lora_parameters(shapes: Sequence[tuple[int, int]], rank: int) -> int:
    """Parameters of adapters on layers (n, k): r (n + k) each."""
    return sum(rank * (n + k) for n, k in shapes)
