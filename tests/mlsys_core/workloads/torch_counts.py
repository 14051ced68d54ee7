"""What torch itself says of a model: FLOPs by its counter, bytes kept by its saved-tensor hooks, bytes moved by its dispatcher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import flop_counter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.operations import Operation

Run = Callable[[], Tensor]
aten = torch.ops.aten


def _attention(query: Any, key: Any, value: Any, *_rest: Any, **_named: Any) -> int:
    return flop_counter.sdpa_flop_count(query, key, value)


def _attention_backward(cotangent: Any, query: Any, key: Any, value: Any, *_rest: Any, **_named: Any) -> int:
    return flop_counter.sdpa_backward_flop_count(cotangent, query, key, value)


# the counter knows attention's kernels for GPUs only; these are its own formulas, given to the kernel for CPUs
ON_CPU = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def flops(run: Run) -> tuple[int, int]:
    """Of the forward pass, and of both."""
    with flop_counter.FlopCounterMode(display=False, custom_mapping=ON_CPU) as counter:
        out = run()
        forward = counter.get_total_flops()
        out.sum().backward()
        return forward, counter.get_total_flops()


def saved_bytes(run: Run, module: nn.Module) -> int:
    """Bytes of distinct storages that autograd keeps, apart from the module's parameters and buffers."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = run()
        del out
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, out)) if isinstance(leaf, Tensor)]
        self.bytes[func._overloadpacket.__name__] += sum(tensor.numel() * tensor.itemsize for tensor in tensors)
        return out


def moved_bytes(run: Run) -> Counter[str]:
    """Bytes of the inputs and outputs of each kernel, forward and backward, by the kernel's name."""
    with _Traffic() as traffic:
        run().sum().backward()
    return traffic.bytes


def agree(run: Run, module: nn.Module, counted: list[Operation]) -> None:
    """Parameters, FLOPs in both directions and bytes kept are exactly torch's."""
    assert o.parameters(counted) == sum(parameter.numel() for parameter in module.parameters())
    assert o.saved(counted) == saved_bytes(run, module)
    assert (o.total(counted, "forward").flops, o.total(counted).flops) == flops(run)
