"""Each family's main kernels once on tiny uneven shapes, for `compute-sanitizer --tool memcheck` and `--tool racecheck` to watch.

    compute-sanitizer --tool memcheck --error-exitcode 9 python3 -m tests.benchmarks.kernels.sanitize decode

Torch's caching allocator would hide an access past a tensor's end inside one large segment, so run it with
PYTORCH_NO_CUDA_MEMORY_CACHING=1. A family that is not there is named, and so is one that fails.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor


def rows(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Standard normal, on the GPU."""
    return torch.randn(*shape, device="cuda", dtype=dtype)


def attention() -> None:
    """Forward and backward of ragged lengths with grouped heads."""
    flash: Any = import_module("mlsys_core.kernels.attention").flash_attention
    for dim, causal in ((64, True), (128, False)):
        q, k, v = rows(1, 4, 77, dim), rows(1, 2, 133, dim), rows(1, 2, 133, dim)
        for one in (q, k, v):
            one.requires_grad_()
        flash(q, k, v, causal=causal).sum().backward()


def decode() -> None:
    """Pages with an unfinished last block: written, read by one token and by chunks, in sixteen bits and in eight."""
    d: Any = import_module("mlsys_core.kernels.decode")
    for size, dim, dtype in ((16, 128, torch.bfloat16), (1, 64, torch.float16), (8, 72, torch.float16)):
        lengths = [37, 0, 5]
        table = torch.randperm(3 * 40, device="cuda").to(torch.int32).view(3, 40)
        tokens = torch.arange(37, device="cuda")
        slots = table[0][tokens // size].long() * size + tokens % size
        counts = torch.tensor(lengths, dtype=torch.int32, device="cuda")
        starts = torch.tensor([0, 9, 9, 10], dtype=torch.int32, device="cuda")
        key, q = rows(37, 2, dim, dtype=dtype), rows(3, 6, dim, dtype=dtype)
        keys, values = (rows(120, size, 2, dim, dtype=dtype) for _ in range(2))
        d.write_cache(key, key, keys, values, slots)
        for splits in (1, 3):
            d.paged_attention(q, keys, values, table, counts, splits=splits)
        d.paged_prefill_attention(rows(10, 6, dim, dtype=dtype), keys, values, table, counts, starts)
        for kind in (torch.int8, torch.float8_e4m3fn):
            (k8, ks), (v8, vs) = (d.quantized_cache(120, size, 2, dim, dtype=kind, device="cuda") for _ in range(2))
            d.write_cache_quantized(key, key, k8, v8, ks, vs, slots)
            d.paged_attention_quantized(q, k8, v8, ks, vs, table, counts, splits=2)


def elementwise() -> None:
    """Rows with gradients: the norms, softmax and the losses of the family, as far as they have these names."""
    for module, name, weights in (
        ("softmax", "softmax", 0),
        ("rms_norm", "rms_norm", 1),
        ("layer_norm", "layer_norm", 2),
    ):
        function: Any = getattr(import_module(f"mlsys_core.kernels.{module}"), name)
        x = rows(7, 333).requires_grad_()
        function(x, *(rows(333).requires_grad_() for _ in range(weights))).sum().backward()
    loss: Any = import_module("mlsys_core.kernels.cross_entropy").cross_entropy
    x = rows(7, 333).requires_grad_()
    loss(x, torch.randint(0, 333, (7,), device="cuda")).sum().backward()


def matmul() -> None:
    """Products of uneven sizes in the ways that the family has."""
    m: Any = import_module("mlsys_core.kernels.matmul")
    a, b = rows(77, 136), rows(136, 200)
    for name in ("tiled_matmul", "split_k_matmul", "persistent_matmul"):
        getattr(m, name)(a, b)


FAMILIES: dict[str, Callable[[], None]] = {
    "attention": attention,
    "decode": decode,
    "elementwise": elementwise,
    "matmul": matmul,
}


def main() -> int:
    """Launch the families named, or all; 0 when none of those that are there failed."""
    failed = 0
    for family in sys.argv[1:] or FAMILIES:
        try:
            FAMILIES[family]()
            torch.cuda.synchronize()
            print(f"{family}: ran", flush=True)
        except ModuleNotFoundError as missing:
            print(f"{family}: absent ({missing.name})", flush=True)
        except Exception:  # noqa: BLE001 - the other families are still wanted
            failed += 1
            print(f"{family}: failed\n{traceback.format_exc(limit=-2)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
