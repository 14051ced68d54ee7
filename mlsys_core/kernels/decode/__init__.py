"""Attention over a paged cache of keys and values, and writing into it."""

from __future__ import annotations

from mlsys_core.kernels.decode.api import (
    paged_attention,
    paged_attention_quantized,
    paged_prefill_attention,
    quantized_cache,
    write_cache,
    write_cache_quantized,
)
from mlsys_core.kernels.decode.operators import decode_bytes

__all__ = [
    "decode_bytes",
    "paged_attention",
    "paged_attention_quantized",
    "paged_prefill_attention",
    "quantized_cache",
    "write_cache",
    "write_cache_quantized",
]
