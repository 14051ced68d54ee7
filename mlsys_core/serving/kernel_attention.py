"""Attention of a mixed batch by the library's kernels, which read the blocks where they are.

Idea      A single new token has little to compute and its whole context to read, which many programs do at once, each a part of it. A
          piece of a prompt is a matrix of queries, and is tiled as any other attention.
Equation  As `attention`.
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 5.1; T. Dao et al., "Flash-Decoding for long-context inference", 2023.
Cost      `kernels.decode.decode_bytes` a layer for single tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.kernels.decode import paged_attention, paged_prefill_attention, write_cache
from mlsys_core.serving.attention import Layout


class KernelAttention:
    """Attention by `kernels.decode`; see `PagedAttention`. No shape depends on what tables and contexts hold."""

    def write(self, key: Tensor, value: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
        """One kernel for both."""
        write_cache(key, value, keys, values, slots)

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """Single tokens by one kernel, the others by the other."""
        n, parts = layout.decodes, []
        if n:
            parts.append(paged_attention(q[:n], keys, values, layout.tables[:n], layout.contexts[:n]))
        if layout.pieces:
            tables, contexts, starts = layout.tables[n:], layout.contexts[n:], layout.starts[n:] - n
            longest = max(count for _, count, _ in layout.pieces)
            parts.append(paged_prefill_attention(q[n:], keys, values, tables, contexts, starts, max_seqlen_q=longest))
        return parts[0] if len(parts) == 1 else torch.cat(parts)
