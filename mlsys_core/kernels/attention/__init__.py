"""Exact attention without the T × S matrix: forward and backward, causal, windows, grouped heads, varlen, block-sparse."""

from __future__ import annotations

from mlsys_core.kernels.attention.api import flash_attention, flash_attention_varlen
from mlsys_core.kernels.attention.block_mask import BlockMask, block_mask, document_mask
from mlsys_core.kernels.attention.cost import attention_bytes, attention_flops

__all__ = [
    "BlockMask",
    "attention_bytes",
    "attention_flops",
    "block_mask",
    "document_mask",
    "flash_attention",
    "flash_attention_varlen",
]
