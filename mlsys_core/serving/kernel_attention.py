"""Attention of a mixed batch on a GPU: single tokens by kernels that read the blocks where they are.

Idea      A step in which everybody gets one token is what a server does most, and reading the contexts is its work besides the weights. So
          single tokens have kernels of their own, and pieces of prompts, whose work is arithmetic, are gathered for torch's attention.
Equation  As `attention`.
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 5.1.
Cost      `paged_kernels.attention_bytes` a layer.
"""

from __future__ import annotations

from torch import Tensor

from mlsys_core.serving.attention import Layout, TorchAttention
from mlsys_core.serving.paged_kernels import attend_singles, write_slots


class KernelAttention(TorchAttention):
    """Attention with the kernels of `paged_kernels`; see `PagedAttention`."""

    def write(self, key: Tensor, value: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
        """One kernel for both."""
        write_slots(key.contiguous(), value.contiguous(), keys, values, slots)

    def singles(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """Split over the context."""
        n = len(q)
        return attend_singles(q.contiguous(), keys, values, layout.tables[:n], layout.contexts[:n])
