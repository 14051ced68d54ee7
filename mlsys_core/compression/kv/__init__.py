"""A cache of keys and values that is kept small.

Read `cache`, then the policies `streaming`, `h2o`, `snapkv`, `kivi`, then `decoder`; and how the engine's blocks are kept small, `paged`,
`paged_streaming`, `paged_votes`, `paged_kivi` and `serving`.
"""

from __future__ import annotations

from mlsys_core.compression.kv.cache import Full, LayerCache, Policy, bytes_a_token
from mlsys_core.compression.kv.decoder import CompressedDecoder, continuation_loss
from mlsys_core.compression.kv.h2o import H2O
from mlsys_core.compression.kv.kivi import KIVI
from mlsys_core.compression.kv.serving import compressed
from mlsys_core.compression.kv.snapkv import SnapKV
from mlsys_core.compression.kv.streaming import StreamingLLM

__all__ = [
    "H2O",
    "KIVI",
    "CompressedDecoder",
    "Full",
    "LayerCache",
    "Policy",
    "SnapKV",
    "StreamingLLM",
    "bytes_a_token",
    "compressed",
    "continuation_loss",
]
