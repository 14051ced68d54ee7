"""Counts of what a call of torch code costs: the same number in every run, where a time never is. Each is a claim, as a time is.

A lab's driver uses it as `counts`; torch is imported when it is first called. Each function returns the count and what the call returned,
so that a check holds against the oracle the very output that the count is of.

What a count does not see, a check must bound: it knows the least that the work can cost, and holds what claims less.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Tensor = Any
Storages = dict[int, Any]


def flops(function: Callable[..., Any], inputs: Sequence[Tensor]) -> tuple[int, Any]:
    """Floating-point operations of `function(*inputs)`: 2MNK a matrix product, and as torch counts convolutions and attention.

    A backward pass inside the call counts too. Elementwise work counts nothing, so a product written as a broadcast and a sum is free here:
    a check refuses fewer than the work needs.
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    with FlopCounterMode(display=False, custom_mapping=_attention_on_cpu()) as counter:
        out = function(*inputs)
    return int(counter.get_total_flops()), out


def saved_bytes(function: Callable[..., Any], inputs: Sequence[Tensor]) -> tuple[int, Any]:
    """Bytes that `function(*inputs)` keeps for its backward pass: each storage once, and whole, since a view keeps all of it.

    Saved by autograd, or kept in any other place that Python can reach, as on a Function's `ctx`. Inputs, parameters and what lived
    before are not counted, nor is the output, unless autograd saved it.
    """
    import torch  # noqa: PLC0415

    saved: Storages = {}

    def pack(tensor: Tensor) -> Tensor:
        if not (tensor.is_leaf and tensor.requires_grad):
            saved.update(_storages([tensor]))
        return tensor

    before = _storages(_living()) | _storages(inputs)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = function(*inputs)
    gc.collect()
    kept = _storages(_living())
    for address in _storages(_tensors_in(out)):
        kept.pop(address, None)
    return sum(s.nbytes() for address, s in (kept | saved).items() if address not in before), out


def _attention_on_cpu() -> dict[Any, Any]:
    """The formulas for attention's fused kernels on a CPU, which torch's counter does not know and would take for free."""
    import torch  # noqa: PLC0415
    from torch.utils import flop_counter  # noqa: PLC0415

    def forward(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(flop_counter.sdpa_flop_count(q, k, v))

    def backward(gradient: Any, q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(flop_counter.sdpa_backward_flop_count(gradient, q, k, v))

    fused = torch.ops.aten
    return {
        fused._scaled_dot_product_flash_attention_for_cpu: forward,  # noqa: SLF001
        fused._scaled_dot_product_flash_attention_for_cpu_backward: backward,  # noqa: SLF001
    }


def _storages(tensors: Any) -> Storages:
    """By address. Whoever holds the storages keeps their addresses from being used again. What a compiler traced with has no memory."""
    return {s.data_ptr(): s for s in (t.untyped_storage() for t in tensors) if s.device.type != "meta"}


def _living() -> Iterator[Tensor]:
    """Every tensor that Python knows of."""
    import torch  # noqa: PLC0415

    return (one for one in gc.get_objects() if issubclass(type(one), torch.Tensor) and one.layout is torch.strided)


def _tensors_in(out: Any) -> list[Tensor]:
    if hasattr(out, "untyped_storage"):
        return [out]
    parts = out.values() if isinstance(out, dict) else out if isinstance(out, (list, tuple)) else ()
    return [tensor for part in parts for tensor in _tensors_in(part)]
