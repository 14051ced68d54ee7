"""Attention over pages beside attention over contiguous caches, which is what a user has without paging: cuDNN and FlashAttention-2."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlsys_core.kernels.decode import (
    decode_bytes,
    paged_attention,
    paged_prefill_attention,
    quantized_cache,
    write_cache,
)
from tests.benchmarks.kernels.harness import Case, Goal, captured

HEADS, KV_HEADS, DIM = 32, 8, 128
BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash2": SDPBackend.FLASH_ATTENTION}


def cases() -> Iterator[Case]:
    """Decode steps of four shapes, caches of eight bits, and a chunk of a long prompt."""
    for batch, context, block in ((64, 8192, 16), (64, 8192, 64), (64, 2048, 16), (8, 32768, 16), (1, 65536, 16)):
        yield decode(batch, context, block)
    for dtype in (torch.int8, torch.float8_e4m3fn):
        yield quantized(64, 8192, 16, dtype)
    yield chunk(batch=8, context=8192, new=512, block=16)


def pages(
    batch: int, context: int, block: int, dtype: torch.dtype = torch.bfloat16
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Caches full of random numbers, a shuffled table, and lengths."""
    each = context // block
    shape = (batch * each, block, KV_HEADS, DIM)
    keys, values = (torch.randn(shape, device="cuda", dtype=dtype) for _ in range(2))
    table = torch.randperm(batch * each, device="cuda").to(torch.int32).view(batch, each)
    return keys, values, table, torch.full((batch,), context, dtype=torch.int32, device="cuda")


def contiguous(q: Tensor, batch: int, context: int) -> dict[str, Callable[[], object]]:
    """The same sizes without pages, by torch's two fast backends."""
    keys, values = (torch.randn(batch, KV_HEADS, context, DIM, device="cuda", dtype=q.dtype) for _ in range(2))

    def by(backend: SDPBackend) -> Callable[[], object]:
        def run() -> object:
            with sdpa_kernel(backend), torch.no_grad():
                return F.scaled_dot_product_attention(q[:, :, None], keys, values, enable_gqa=True)

        return run

    return {name: by(backend) for name, backend in BACKENDS.items()}


def decode(batch: int, context: int, block: int) -> Case:
    """One new token for each of `batch` sequences."""
    keys, values, table, lengths = pages(batch, context, block)
    q = torch.randn(batch, HEADS, DIM, device="cuda", dtype=torch.bfloat16)
    main = (batch, context) == (64, 8192)
    runs = {"ours": lambda: paged_attention(q, keys, values, table, lengths), **contiguous(q, batch, context)}
    return Case(
        family="decode",
        name=f"B{batch} S{context} block {block}",
        contenders={name: captured(run) for name, run in runs.items()},
        bytes=decode_bytes([context] * batch, HEADS, KV_HEADS, DIM),
        goals=(Goal("cudnn", 0.9),) if main else (),
        floor_goal=0.85 if main else None,
    )


def quantized(batch: int, context: int, block: int, dtype: torch.dtype) -> Case:
    """The same from a cache of eight bits; its floor is its own bytes."""
    keys, values, table, lengths = pages(batch, context, block)
    caches = [quantized_cache(*keys.shape, dtype=dtype, device="cuda") for _ in range(2)]
    slots = torch.arange(keys.shape[0] * block, device="cuda")
    (k, k_scale), (v, v_scale) = caches
    write_cache(keys.flatten(0, 1), values.flatten(0, 1), k, v, slots, key_scale=k_scale, value_scale=v_scale)
    q = torch.randn(batch, HEADS, DIM, device="cuda", dtype=torch.bfloat16)
    scales = {"key_scale": k_scale, "value_scale": v_scale}
    return Case(
        family="decode",
        name=f"B{batch} S{context} {str(dtype).removeprefix('torch.')}",
        contenders={
            "ours": lambda: paged_attention(q, k, v, table, lengths, **scales),
            "ours, 16 bits": lambda: paged_attention(q, keys, values, table, lengths),
        },
        bytes=decode_bytes([context] * batch, HEADS, KV_HEADS, DIM, size=1, scales=True),
    )


def chunk(*, batch: int, context: int, new: int, block: int) -> Case:
    """`new` tokens of each sequence at the end of its context, beside FlashAttention-2 over keys that were gathered beforehand."""
    keys, values, table, lengths = pages(batch, context, block)
    q = torch.randn(batch * new, HEADS, DIM, device="cuda", dtype=torch.bfloat16)
    starts = torch.arange(0, batch * new + 1, new, dtype=torch.int32, device="cuda")
    dense = [torch.randn(batch, KV_HEADS, context, DIM, device="cuda", dtype=q.dtype) for _ in range(2)]
    rows = q.view(batch, new, HEADS, DIM).transpose(1, 2)

    def flash() -> object:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION), torch.no_grad():
            return F.scaled_dot_product_attention(rows, *dense, enable_gqa=True)

    return Case(
        family="decode",
        name=f"chunk of {new}, B{batch} S{context}",
        contenders={
            "ours": lambda: paged_prefill_attention(q, keys, values, table, lengths, starts, max_seqlen_q=new),
            "flash2": flash,
        },
        flops=4 * batch * HEADS * new * (context - new / 2) * DIM,
        note="flash2 has no mask that ends at the last token, so it computes the masked part too",
    )
