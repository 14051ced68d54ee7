"""Tensor parallelism: every layer is cut, and all ranks work on each together. Read `regions`, then `layers`, then `gpt`."""

from __future__ import annotations

from mlsys_core.parallelism.tensor.cross_entropy import vocab_parallel_cross_entropy, vocab_parallel_cross_entropy_cost
from mlsys_core.parallelism.tensor.gpt import TensorParallelGPT, parallelize, tensor_parallel_cost
from mlsys_core.parallelism.tensor.layers import (
    ColumnParallelLinear,
    RowParallelLinear,
    SequenceParallelNorm,
    VocabParallelEmbedding,
)
from mlsys_core.parallelism.tensor.state import gather_full, load_full, splits

__all__ = [
    "ColumnParallelLinear",
    "RowParallelLinear",
    "SequenceParallelNorm",
    "TensorParallelGPT",
    "VocabParallelEmbedding",
    "gather_full",
    "load_full",
    "parallelize",
    "splits",
    "tensor_parallel_cost",
    "vocab_parallel_cross_entropy",
    "vocab_parallel_cross_entropy_cost",
]
