"""QLoRA: adapters on a base of four bits, which is read in both passes and never kept as numbers.

Idea      A frozen weight is needed only to multiply: forward by x, backward by the gradient. So it stays in NF4 and is made whole for the
          length of a product, twice a step. Nothing is kept for the backward pass but the codes that are there anyway.
Equation  y = dequant(q, c) x + (α / r) B A x;   ∂L/∂x = dequant(q, c)ᵀ ∂L/∂y + (α / r) Aᵀ Bᵀ ∂L/∂y
Paper     T. Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023, section 3, equations 5 and 6.
Cost      `qlora_bytes`: 4.127 bits a weight of the base, 16 bytes a parameter of the adapters under Adam; two dequantizations a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from mlsys_core.compression.lora import TARGETS, LoRALinear, add_lora, linear_names, lora_parameters
from mlsys_core.compression.nf4 import NF4, Scales, nf4_bits, quantize_nf4


class _Product(torch.autograd.Function):
    """x (…, k) times a frozen weight (n, k) that is made whole when it is needed, and saved by nobody."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: NF4) -> Tensor:
        ctx.weight = weight
        return x @ weight.dequantize(x.dtype).T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] @ ctx.weight.dequantize(grads[0].dtype), None


class NF4Linear(nn.Module):
    """x (…, k) -> (…, n) with weights of four bits, as buffers: they move with the model, are in its state, and nothing trains them."""

    codes: Tensor
    scale_codes: Tensor
    factors: Tensor
    mean: Tensor

    def __init__(self, linear: nn.Linear, block: int = 64, second: int = 256) -> None:
        """Quantizes the weight; a bias stays as it is, frozen."""
        super().__init__()
        stored = quantize_nf4(linear.weight, block, second)
        scales = cast("Scales", stored.scales)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.block, self.second = block, second
        self.register_buffer("codes", stored.codes)
        self.register_buffer("scale_codes", scales.codes)
        self.register_buffer("factors", scales.factors)
        self.register_buffer("mean", scales.mean)
        self.bias = linear.bias
        if self.bias is not None:
            self.bias.requires_grad_(requires_grad=False)

    @property
    def weight(self) -> NF4:
        """The weight as it is kept."""
        scales = Scales(self.scale_codes, self.factors, self.mean, self.second)
        return NF4(self.codes, scales, torch.Size((self.out_features, self.in_features)), self.block)

    def forward(self, x: Tensor) -> Tensor:
        """One product, in the type of x."""
        out: Tensor = _Product.apply(x, self.weight)
        return out if self.bias is None else out + self.bias


def add_qlora(
    model: nn.Module,
    rank: int = 8,
    alpha: float = 16.0,
    *,
    targets: Sequence[str] = TARGETS,
    block: int = 64,
    second: int = 256,
    seed: int = 0,
) -> list[str]:
    """Quantizes the layers whose last name is among `targets` to NF4, freezes all, and puts adapters on them; gives their names.

    Raises TypeError for a layer that is no `nn.Linear` any more, and ValueError where no layer has such a name.
    """
    for name in linear_names(model, targets):
        layer = model.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{name} is a {type(layer).__name__} already: QLoRA starts from a plain model.")
        model.set_submodule(name, NF4Linear(layer, block, second))
    return add_lora(model, rank, alpha, targets=targets, seed=seed)


def merge_qlora(model: nn.Module) -> None:
    """Plain layers again: the base in the adapter's type with the adapter added to it, no longer of four bits."""
    for name, layer in [(n, m) for n, m in model.named_modules() if isinstance(m, LoRALinear)]:
        base = layer.base
        if isinstance(base, NF4Linear):
            plain = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None)
            plain.weight = nn.Parameter(base.weight.dequantize(layer.lora_A.dtype))
            if base.bias is not None:
                plain.bias = base.bias
            layer.base = plain.requires_grad_(requires_grad=False)
        layer.merge()
        model.set_submodule(name, layer.base)


def qlora_bytes(shapes: Sequence[tuple[int, int]], rank: int, block: int = 64, second: int = 256) -> float:
    """Bytes of a training's states for layers (n, k): the base in NF4; adapters in float32 with gradient and Adam's two moments."""
    base = sum(n * k for n, k in shapes) * nf4_bits(block, second) / 8
    return base + 16 * lora_parameters(shapes, rank)
