"""A whole model, layer by layer, each on what the layers before it give once they are quantized.

Idea      A layer that was calibrated on the exact model's activations meets others when it runs. So the model is walked through once with
          a little text: a block's layers are replaced in the order in which they run, each after looking at what now reaches it, and
          the text goes on to the next block through what has been replaced.
Equation  x_0 = embed(tokens);   x_{l+1} = block̂_l(x_l), block̂_l made by looking at x_l
Paper     E. Frantar et al., "GPTQ", ICLR 2023 (blocks in order, on inputs from those quantized before).
Cost      For GPTQ each block's attention runs four times and its feed-forward part twice; where scales are sought, both run twice.
          Memory for one block's inputs. Methods that look at no text run nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from mlsys_core.compression.calibration import FIRSTS, LINEARS, STAGES, Statistics, inputs_of
from mlsys_core.compression.methods import Method, QuantizedLinear
from mlsys_core.compression.smoothquant import W8A8Linear
from mlsys_core.workloads.gpt import GPT


@torch.no_grad()
def quantize_gpt(model: GPT, method: Method | Mapping[str, Method], tokens: Tensor | None = None) -> GPT:
    """A copy with the linear layers of all blocks replaced; embedding, normalisations and head stay as they are.

    method  one for all, or those of some layers by their names (`blocks.0.attn.q_proj`); the others then stay
    tokens  (B, T), the text to calibrate on, on the model's device; a method that looks at none needs none
    Raises ValueError for text that is missing, and where a method by name changes layers that have other methods.
    """
    methods = method if isinstance(method, Mapping) else dict.fromkeys(layer_names(model), method)
    _check(model, method, methods, tokens)
    model = deepcopy(model)
    looks = any(one.rescales or one.calibrates for one in methods.values())
    x = model.embed(tokens) if looks and tokens is not None else None
    positions = torch.arange(0 if x is None else x.shape[1], device=model.embed.weight.device)
    for number, block in enumerate(model.blocks):
        if x is not None and not isinstance(method, Mapping) and method.rescales:
            method.rescale(block, inputs_of(block, FIRSTS, x, positions))
        for stage in STAGES:
            own = {name: methods[full] for name in stage if (full := f"blocks.{number}.{name}") in methods}
            seen: Statistics | None = None
            if x is not None and any(one.calibrates for one in own.values()):
                seen = inputs_of(block, stage[:1], x, positions)[stage[0]]
            for name, one in own.items():
                _put(block, name, one.replace(block.get_submodule(name), seen))
        if x is not None:
            x = block(x, positions)
    return model


def layer_names(model: GPT) -> list[str]:
    """The linear layers of all blocks, in the order in which they run."""
    return [f"blocks.{number}.{name}" for number in range(len(model.blocks)) for name in LINEARS]


def _check(
    model: GPT, method: Method | Mapping[str, Method], methods: Mapping[str, Method], tokens: Tensor | None
) -> None:
    strange = sorted(set(methods) - set(layer_names(model)))
    if strange:
        raise ValueError(f"The model has no layers {', '.join(strange)}: name those of `layer_names`.")
    if isinstance(method, Mapping) and any(one.rescales for one in methods.values()):
        raise ValueError("A method that moves scales changes the layers beside it: use it for the whole model.")
    if any(one.rescales or one.calibrates for one in methods.values()) and (tokens is None or not tokens.numel()):
        raise ValueError("This method looks at activations: give tokens (B, T) of some text to calibrate on.")


def _put(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Sets a layer by its dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, layer)


def model_bytes(model: nn.Module) -> int:
    """Bytes of a model: what quantized layers say of themselves, and 2 for every other weight, as in float16."""
    layers = [layer for layer in model.modules() if isinstance(layer, QuantizedLinear | W8A8Linear)]
    others: int = sum(weight.numel() for weight in model.parameters())
    return sum(layer.nbytes for layer in layers) + 2 * others
