"""Task 6: factors of low rank, adapters and their story, and four-bit codes. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]


def _plain(tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"returned a {type(tensor).__name__}, expected a tensor")
    return np.array(tensor.detach().numpy())


def factored(program: ModuleType, *, weight: Array, rank: int) -> list[Array]:
    """`low_rank`."""
    return [_plain(one) for one in program.low_rank(torch.from_numpy(weight), rank)]


def factored_for_inputs(program: ModuleType, *, weight: Array, hessian: Array, rank: int) -> list[Array]:
    """`low_rank_for_inputs`."""
    return [
        _plain(one) for one in program.low_rank_for_inputs(torch.from_numpy(weight), torch.from_numpy(hessian), rank)
    ]


def lora_story(
    program: ModuleType, *, weight: Array, rank: int, alpha: float, x: Array, a: Array, b: Array, cotangent: Array
) -> Answer:
    """A layer's life: new, with given factors, a gradient, merged twice, taken apart twice."""
    layer, given = program.LoRALinear(torch.from_numpy(weight), rank, alpha), torch.from_numpy(x).requires_grad_()
    told: Answer = {"start": _plain(layer(given)), "first_a": _plain(layer.a), "first_b": _plain(layer.b)}
    told["parameters"] = sorted(name for name, _ in layer.named_parameters())
    with torch.no_grad():
        layer.a.copy_(torch.from_numpy(a))
        layer.b.copy_(torch.from_numpy(b))
    out = layer(given)
    out.backward(torch.from_numpy(cotangent))
    told |= {
        "out": _plain(out),
        "grad_a": _plain(layer.a.grad),
        "grad_b": _plain(layer.b.grad),
        "grad_x": _plain(given.grad),
    }
    told["weight_learns"] = bool(layer.weight.requires_grad or layer.weight.grad is not None)
    told["states"] = []
    for step in ("unmerge", "merge", "merge", "unmerge", "unmerge"):
        getattr(layer, step)()
        with torch.no_grad():
            told["states"].append(
                {"merged": bool(layer.merged), "weight": _plain(layer.weight), "out": _plain(layer(given))}
            )
    return told


def lora_work(program: ModuleType, *, weight: Array, rank: int, x: Array) -> list[Answer]:
    """Operations of a call, apart and merged, with the outputs that they made."""
    from driver import counts  # noqa: PLC0415 - the driver, whose part this is, is loaded after it

    layer, found = program.LoRALinear(torch.from_numpy(weight), rank, 1.0), []
    with torch.no_grad():
        for step in ("unmerge", "merge"):
            getattr(layer, step)()
            flops, out = counts.flops(layer, [torch.from_numpy(x)])
            found.append({"flops": flops, "out": _plain(out)})
    return found


def nf4_table(program: ModuleType) -> Array:
    """`nf4_levels`."""
    return _plain(program.nf4_levels())


def nf4(program: ModuleType, *, weight: Array, block: int) -> Answer:
    """Codes and scales of a weight, and the weight that they stand for."""
    codes, scales = program.nf4_quantize(torch.from_numpy(weight), block)
    return {
        "codes": _plain(codes),
        "scales": _plain(scales),
        "back": _plain(program.nf4_dequantize(codes, scales, block)),
    }


def scales_twice(program: ModuleType, *, scales: Array, block: int) -> Answer:
    """`double_quantize`, and back."""
    codes, absmax, mean = program.double_quantize(torch.from_numpy(scales), block)
    back = program.double_dequantize(codes, absmax, mean, block)
    return {"codes": _plain(codes), "absmax": _plain(absmax), "mean": float(mean), "back": _plain(back)}


def adapters(program: ModuleType, *, layers: list[Answer], rank: int, steps: int) -> list[list[Array]]:
    """`recover` of each layer."""
    names = ("weight", "base", "inputs")
    return [
        [_plain(one) for one in program.recover(*(torch.from_numpy(layer[name]) for name in names), rank, steps)]
        for layer in layers
    ]
